package service

import (
	"time"

	"muster/sandbox/stanza"
)

const (
	// mediaTTL is how long a client uses a media_conn before it asks again, and
	// mediaAuthTTL how long its auth holds, in seconds.
	mediaTTL     = 300
	mediaAuthTTL = 21600
	// mediaBuckets is what real answers show; no client here uses it.
	mediaBuckets = 12
)

// iqMediaConn tells where to upload and download media. whatsmeow wants the
// answer as the first child and all four attributes.
func (w *World) iqMediaConn(c *call) ([]stanza.Node, *stanza.Error) {
	if stanza.Child(c.iq, "media_conn") == nil {
		return nil, stanza.Refuse(501)
	}
	auth := w.token(32)
	w.media.Grant(auth, w.opts.Now().Add(mediaAuthTTL*time.Second))
	return []stanza.Node{{
		Tag: "media_conn",
		Attrs: stanza.Attrs{
			"auth": auth, "ttl": mediaTTL, "auth_ttl": mediaAuthTTL, "max_buckets": mediaBuckets,
		},
		Content: []stanza.Node{{
			Tag: "host", Attrs: stanza.Attrs{"hostname": w.opts.MediaHost, "type": "primary", "class": "mms"},
		}},
	}}, nil
}
