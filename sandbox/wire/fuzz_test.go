package wire

import (
	"bytes"
	"io"
	"testing"
	"testing/iotest"

	waBinary "go.mau.fi/whatsmeow/binary"
)

// FuzzStream reads an intro and frames. However the stream is cut, the same
// must come out of it.
func FuzzStream(f *testing.F) {
	f.Add([]byte("WA\x06\x03\x00\x00\x02hi\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, stream []byte) {
		whole, wholeFrames, wholeErr := readStream(bytes.NewReader(stream))
		cut, cutFrames, cutErr := readStream(iotest.OneByteReader(bytes.NewReader(stream)))
		if whole != cut || len(wholeFrames) != len(cutFrames) || wholeErr.Error() != cutErr.Error() {
			t.Fatalf("whole: %v, %d frames, %v; cut: %v, %d frames, %v",
				whole, len(wholeFrames), wholeErr, cut, len(cutFrames), cutErr)
		}
		var again []byte
		for i, frame := range wholeFrames {
			if !bytes.Equal(frame, cutFrames[i]) {
				t.Fatalf("frame %d differs", i)
			}
			header, err := newFrame(len(frame))
			if err != nil {
				t.Fatal(err)
			}
			again = append(append(again, header...), frame...)
		}
		if !bytes.Contains(stream, again) {
			t.Fatal("frames hold what was not in the stream")
		}
	})
}

// readStream reads until the stream ends or is refused; err is never nil.
func readStream(r io.Reader) (in intro, frames [][]byte, err error) {
	if in, err = readIntro(r); err != nil {
		return in, nil, err
	}
	for {
		frame, err := readFrame(r, maxFrame)
		if err != nil {
			return in, frames, err
		}
		frames = append(frames, frame)
	}
}

// FuzzDictionary2 decodes a frame's plaintext. What can be read can be written,
// and writing has a fixed point.
func FuzzDictionary2(f *testing.F) {
	f.Add([]byte{0, 248, 3, 30, 8, 255, 0x84, 0x12, 0xb3, 0x4a, 0x5f})
	f.Fuzz(func(t *testing.T, plaintext []byte) {
		node, err := decodeBody(plaintext, &dictionary2)
		if err != nil {
			return
		}
		first, err := encodeNode(*node, dictionaryOld)
		if err != nil {
			t.Fatalf("%s was read and cannot be written: %v", node, err)
		}
		second := rewrite(t, first)
		if third := rewrite(t, second); !bytes.Equal(second, third) {
			t.Fatalf("%s\nwas written as %x\nand then as %x", node, second, third)
		}
	})
}

func rewrite(t *testing.T, plaintext []byte) []byte {
	t.Helper()
	node, err := decodeBody(plaintext, &dictionary2)
	if err != nil {
		t.Fatalf("cannot read what was written, %x: %v", plaintext, err)
	}
	again, err := encodeNode(*node, dictionaryOld)
	if err != nil {
		t.Fatalf("cannot write %s again: %v", node, err)
	}
	return again
}

// FuzzDictionary3 compares with whatsmeow's decoder: whatever is read here, it
// reads the same.
func FuzzDictionary3(f *testing.F) {
	for _, node := range sampleNodes()[:5] {
		raw, err := waBinary.Marshal(node)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw[1:])
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := decodeNode(data, &dictionary3)
		if err != nil {
			return
		}
		want, panicked, err := unmarshal(data)
		if panicked {
			return // on text of no characters that is packed as an odd number
		}
		if err != nil {
			t.Fatalf("whatsmeow does not read %s: %v", got, err)
		}
		if got.String() != want.String() {
			t.Fatalf("read %s\nwant %s", got, want)
		}
	})
}

func unmarshal(data []byte) (node *waBinary.Node, panicked bool, err error) {
	defer func() { panicked = recover() != nil }()
	node, err = waBinary.Unmarshal(data)
	return node, false, err
}

// FuzzHandshake plays a client's two frames to the server.
func FuzzHandshake(f *testing.F) {
	f.Add([]byte{0x12, 0x22, 0x0a, 0x20}, []byte{0x22, 0x02, 0x0a, 0x00})
	f.Fuzz(func(t *testing.T, hello, finish []byte) {
		state, answer, err := answerHello(identities.good, intro{'W', 'A', 6, 3}, hello)
		if err != nil {
			return
		}
		if len(answer) == 0 {
			t.Fatal("an empty ServerHello")
		}
		if _, err := state.finish(finish); err == nil {
			t.Fatal("a client that knows no keys finished the handshake")
		}
	})
}
