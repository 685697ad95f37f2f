package service

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"muster/sandbox/stanza"
)

// propsRefresh is after how many seconds a client should ask again.
const propsRefresh = 86400

// props are the experiment settings that Baileys 7 reads by their codes, at
// the values it assumes without them: tokens on direct messages (10518), on
// picture requests (9666), and whether tokens are issued to LIDs (14303).
var props = []struct{ code, value string }{
	{"10518", "1"},
	{"9666", "1"},
	{"14303", "0"},
}

// iqProps answers with the service's settings for clients: "abt" is today's
// form, "w" the older one of Baileys 6. A client that shows the hash of what
// it has gets no list.
func (w *World) iqProps(c *call) ([]stanza.Node, *stanza.Error) {
	request := stanza.Child(c.iq, "props")
	if request == nil {
		return nil, stanza.Refuse(501)
	}
	name, value := "config_code", "config_value"
	reply := stanza.Node{Tag: "props", Attrs: stanza.Attrs{
		"protocol": 1, "ab_key": "sandbox", "hash": propsHash(), "refresh": propsRefresh, "refresh_id": 1,
	}}
	if stanza.Text(c.iq, "xmlns") == "w" {
		name, value = "name", "value"
		reply.Attrs["protocol"] = 2
	}
	if stanza.Text(request, "hash") == propsHash() {
		return []stanza.Node{reply}, nil
	}
	var list []stanza.Node
	for _, p := range props {
		list = append(list, stanza.Node{Tag: "prop", Attrs: stanza.Attrs{name: p.code, value: p.value}})
	}
	reply.Content = list
	return []stanza.Node{reply}, nil
}

// propsHash names the list of settings.
func propsHash() string {
	var all strings.Builder
	for _, p := range props {
		all.WriteString(p.code + "=" + p.value + ";")
	}
	sum := sha256.Sum256([]byte(all.String()))
	return hex.EncodeToString(sum[:5])
}
