package wire

import (
	"bytes"
	"compress/zlib"
	"errors"
	"fmt"
	"io"

	waBinary "go.mau.fi/whatsmeow/binary"
)

const (
	// flagCompressed is the bit of the flag byte that says that the node behind
	// it is a zlib stream. The other bits have no known meaning.
	flagCompressed = 2
	// maxInflated bounds what a compressed node may unpack to.
	maxInflated = maxFrame
)

// decodeBody reads a frame's plaintext: the flag byte and one node.
func decodeBody(plaintext []byte, dict *dictionary) (*waBinary.Node, error) {
	if len(plaintext) == 0 {
		return nil, errors.New("frame without a flag byte")
	}
	data := plaintext[1:]
	if plaintext[0]&flagCompressed != 0 {
		inflated, err := inflate(data)
		if err != nil {
			return nil, err
		}
		data = inflated
	}
	return decodeNode(data, dict)
}

func inflate(data []byte) ([]byte, error) {
	r, err := zlib.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("unpack node: %w", err)
	}
	inflated, err := io.ReadAll(io.LimitReader(r, maxInflated+1))
	if err != nil {
		return nil, fmt.Errorf("unpack node: %w", err)
	}
	if len(inflated) > maxInflated {
		return nil, fmt.Errorf("unpack node: it is larger than %d bytes", maxInflated)
	}
	if err := r.Close(); err != nil {
		return nil, fmt.Errorf("unpack node: %w", err)
	}
	return inflated, nil
}
