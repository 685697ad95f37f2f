package session

import (
	"net/http"
	"testing"
)

// A server that reaches the real WhatsApp fetches files from WhatsApp's hosts
// and from nowhere else, whatever it is told, and also when it is redirected.
func TestMediaHosts(t *testing.T) {
	t.Parallel()
	sandbox, err := Sandbox("ws://127.0.0.1:3452/ws/chat", [32]byte{})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		network Network
		address string
		want    bool
	}{
		{Real(), "https://pps.whatsapp.net/v/t61/1.jpg?ccb=1", true},
		{Real(), "https://media-ams2-1.cdn.WhatsApp.net/x", true},
		{Real(), "http://pps.whatsapp.net/x", false},
		{Real(), "https://pps.whatsapp.net:8443/x", false},
		{Real(), "https://me@pps.whatsapp.net/x", false},
		{Real(), "https://whatsapp.net.example.com/x", false},
		{Real(), "https://notwhatsapp.net/x", false},
		{Real(), "https://example.com/pps.whatsapp.net", false},
		{Real(), "https://127.0.0.1/x", false},
		{Real(), "https://169.254.169.254/latest", false},
		{Real(), "file:///etc/passwd", false},
		{Real(), "", false},
		{sandbox, "http://127.0.0.1:3452/mms/pic/1", true},
		{sandbox, "http://localhost:3452/mms/pic/1", true},
		{sandbox, "http://127.0.0.1:22/", false},
		{sandbox, "https://pps.whatsapp.net/x", false},
	} {
		request, err := http.NewRequest(http.MethodGet, test.address, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := test.network.servesMedia(request.URL); got != test.want {
			t.Errorf("%s: %v", test.address, got)
		}
		if err := test.network.followMedia(request, make([]*http.Request, 1)); (err == nil) != test.want {
			t.Errorf("a redirect to %s: %v", test.address, err)
		}
		if test.network.followMedia(request, make([]*http.Request, 10)) == nil {
			t.Errorf("the tenth redirect to %s is followed", test.address)
		}
	}
}
