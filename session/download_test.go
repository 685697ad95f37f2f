package session_test

import (
	"bytes"
	"image"
	"image/jpeg"
	"testing"

	"muster/internal/fault"
)

func TestDownload(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.link("mine", ann)
	var content bytes.Buffer
	if err := jpeg.Encode(&content, image.NewGray(image.Rect(0, 0, 200, 200)), nil); err != nil {
		t.Fatal(err)
	}
	picture, err := r.srv.Media().SetPicture("somebody", content.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	address, size := r.srv.URL()+picture.Path, int64(content.Len())
	got, err := r.m.Download(r.context(), "mine", address, size)
	if err != nil || !bytes.Equal(got, content.Bytes()) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	for _, test := range []struct {
		id, address string
		limit       int64
		want        fault.Code
	}{
		{"mine", address, size - 1, fault.Rejected},
		{"mine", r.srv.URL() + "/mms/pic/none", size, fault.NotFound},
		{"mine", "https://example.com/1.jpg", size, fault.Rejected},
		{"mine", "://", size, fault.Rejected},
		{"nobody", address, size, fault.SessionNotFound},
	} {
		if _, err := r.m.Download(r.context(), test.id, test.address, test.limit); !fault.Is(err, test.want) {
			t.Errorf("%s of %s: %v, want %s", test.address, test.id, err, test.want)
		}
	}
}
