package wire

import (
	"errors"
	"fmt"
	"io"
)

// The two dictionaries of string tokens that clients in use announce.
const (
	dictionaryOld     = 2 // Baileys 6
	dictionaryCurrent = 3 // whatsmeow, Baileys 7, WhatsApp Web
)

// maxRouting bounds the edge-routing prefix. The routing info that WhatsApp
// hands out is some ten bytes long; the three length bytes would allow 16 MiB.
const maxRouting = 1 << 12

// intro is what a client opens the stream with: "WA", the protocol version (6)
// and the version of its token dictionary. The same four bytes are the
// prologue of the Noise handshake (whatsmeow: socket.WAConnHeader).
type intro [4]byte

func (in intro) dictionary() byte { return in[3] }

var errNotWhatsApp = errors.New("the stream does not start with WA, protocol 6")

// readIntro reads the intro and the edge-routing prefix that may stand before
// it: "ED" 00 01, a three-byte length, that many bytes. The prefix routes the
// connection to a data centre and is no part of the prologue, so it is dropped.
func readIntro(r io.Reader) (intro, error) {
	var in intro
	if _, err := io.ReadFull(r, in[:]); err != nil {
		return intro{}, fmt.Errorf("read intro: %w", err)
	}
	if in == (intro{'E', 'D', 0, 1}) {
		if err := skipRouting(r); err != nil {
			return intro{}, err
		}
		if _, err := io.ReadFull(r, in[:]); err != nil {
			return intro{}, fmt.Errorf("read intro after edge routing: %w", unexpected(err))
		}
	}
	if in[0] != 'W' || in[1] != 'A' || in[2] != 6 {
		return intro{}, fmt.Errorf("%w: % x", errNotWhatsApp, in[:])
	}
	if d := in.dictionary(); d != dictionaryOld && d != dictionaryCurrent {
		return intro{}, fmt.Errorf("client speaks dictionary %d; %d and %d are known", d, dictionaryOld, dictionaryCurrent)
	}
	return in, nil
}

func skipRouting(r io.Reader) error {
	length, err := readLength(r)
	if err != nil {
		return fmt.Errorf("read length of edge routing: %w", unexpected(err))
	}
	if length > maxRouting {
		return fmt.Errorf("edge routing of %d bytes, at most %d are accepted", length, maxRouting)
	}
	if _, err := io.CopyN(io.Discard, r, int64(length)); err != nil {
		return fmt.Errorf("read edge routing: %w", unexpected(err))
	}
	return nil
}
