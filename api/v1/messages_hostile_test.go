package v1_test

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"muster/internal/config"
)

// nothingKept fails the test unless there is no file in the directory.
func nothingKept(t *testing.T, dir string) {
	t.Helper()
	err := filepath.WalkDir(filepath.Join(dir, "media"), func(path string, found fs.DirEntry, err error) error {
		if err == nil && !found.IsDir() {
			t.Errorf("%s was kept", path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// TestPrivateAddressesAreRefused: what is not of the public internet is not
// asked, however it is written.
func TestPrivateAddressesAreRefused(t *testing.T) {
	var dir string
	k := newTalk(t, func(c *config.Config) { dir = c.DataDir })
	asked := make(chan string, 100)
	inside := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { asked <- r.URL.Path }))
	t.Cleanup(inside.Close)
	for _, address := range []string{
		inside.URL + "/x.jpg", strings.Replace(inside.URL, "127.0.0.1", "localhost", 1) + "/x.jpg",
		"http://127.0.0.1/x.jpg", "http://localhost/x.jpg", "http://[::1]/x.jpg", "http://[::ffff:127.0.0.1]/x.jpg", "http://0.0.0.0/x.jpg",
		"http://10.0.0.1/x.jpg", "http://192.168.1.1/x.jpg", "http://172.16.0.1/x.jpg", "http://100.64.0.1/x.jpg",
		"http://169.254.169.254/latest/meta-data/", "http://[fe80::1]/x.jpg", "http://[fd00::1]/x.jpg", "http://224.0.0.1/x.jpg",
		"file:///etc/passwd", "ftp://127.0.0.1/x.jpg", "gopher://127.0.0.1/", "//127.0.0.1/x.jpg", "x.jpg", "http://", "http://user:password@127.0.0.1/x.jpg",
	} {
		k.call(http.MethodPost, messagesPath+"/image", object{"to": k.group, "image": object{"url": address}}).refused(http.StatusUnprocessableEntity, "invalid", "image")
	}
	select {
	case path := <-asked:
		t.Errorf("a server inside was asked for %s", path)
	default:
	}
	nothingKept(t, dir)
	k.heardNothing()
}

// heardNothing fails the test when a message has gone to the group.
func (k *talk) heardNothing() {
	k.t.Helper()
	if inbox, err := k.wa.Inbox(ann); err != nil || len(inbox) > 0 {
		k.t.Errorf("ann's phone has got %+v, %v", inbox, err)
	}
}

// TestHostileServersAreRefused: servers that never end, that redirect for ever
// or to where nobody may go, and that answer with something else.
func TestHostileServersAreRefused(t *testing.T) {
	var dir string
	k := newTalk(t, func(c *config.Config) {
		dir = c.DataDir
		c.Media.AllowPrivate, c.Media.MaxImage, c.Media.FetchTimeout = true, 64<<10, time.Second
	})
	picture := jpegFile(t)
	paths := http.NewServeMux()
	paths.HandleFunc("/good.jpg", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(picture) })
	paths.HandleFunc("/endless", func(w http.ResponseWriter, _ *http.Request) {
		for _, err := w.Write(picture); err == nil; _, err = w.Write(make([]byte, 4096)) {
		}
	})
	paths.HandleFunc("/large", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Length", "1000000") })
	paths.HandleFunc("/silent", func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write(picture[:100])
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	paths.HandleFunc("/compressed", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write([]byte("whatever it unpacks to"))
	})
	paths.HandleFunc("/page", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "image/jpeg")
		_, _ = fmt.Fprint(w, "<!doctype html><title>No picture</title>")
	})
	paths.HandleFunc("/cut", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(len(picture)))
		_, _ = w.Write(picture[:200])
	})
	paths.HandleFunc("/empty", func(http.ResponseWriter, *http.Request) {})
	for from, to := range map[string]string{
		"/loop": "/loop", "/file": "file:///etc/passwd", "/ftp": "ftp://127.0.0.1/x", "/credentials": "http://user:password@127.0.0.1/x", "/once": "/good.jpg",
	} {
		paths.Handle(from, http.RedirectHandler(to, http.StatusFound))
	}
	server := httptest.NewServer(paths)
	t.Cleanup(server.Close)
	for path, want := range map[string]struct {
		status int
		code   string
	}{
		"/endless": {413, "too_large"}, "/large": {413, "too_large"}, "/silent": {422, "invalid"}, "/compressed": {422, "invalid"},
		"/page": {415, "unsupported_media"}, "/cut": {422, "invalid"}, "/empty": {422, "invalid"}, "/missing": {422, "invalid"},
		"/loop": {422, "invalid"}, "/file": {422, "invalid"}, "/ftp": {422, "invalid"}, "/credentials": {422, "invalid"},
	} {
		t.Run(path, func(t *testing.T) {
			k.with(t).call(http.MethodPost, messagesPath+"/image", object{"to": k.group, "image": object{"url": server.URL + path}}).refused(want.status, want.code, "image")
		})
	}
	nothingKept(t, dir)
	k.heardNothing()
	k.file(k.post("image", object{"image": object{"url": server.URL + "/once"}}), picture)
}

// TestHostileFilesAreRefused: files that are not what they are sent as, and
// those that are made to take memory.
func TestHostileFilesAreRefused(t *testing.T) {
	var dir string
	k := newTalk(t, func(c *config.Config) { dir = c.DataDir })
	picture, voice, video, sticker := jpegFile(t), voiceFile(1), videoFile(), stickerFile()
	for name, test := range map[string]struct {
		kind string
		file []byte
		code string
	}{
		"a page as an image":              {"image", []byte("<html><script>alert(1)</script></html>"), "unsupported_media"},
		"a program as an image":           {"image", append([]byte("\x7fELF\x02\x01\x01"), make([]byte, 64)...), "unsupported_media"},
		"a video as an image":             {"image", video, "unsupported_media"},
		"an image as a video":             {"video", picture, "unsupported_media"},
		"an image as a voice note":        {"audio", pngFile(t), "unsupported_media"},
		"an image as a sticker":           {"sticker", picture, "unsupported_media"},
		"a sticker as an image":           {"image", sticker, "unsupported_media"},
		"a picture of a billion pixels":   {"image", bomb(t, 50000, 50000), "invalid"},
		"a picture with half of it":       {"image", picture[:len(picture)/2], "invalid"},
		"half a sticker":                  {"sticker", sticker[:20], "invalid"},
		"a recording without sound":       {"audio", voice[:60], "invalid"},
		"a video whose boxes are too big": {"video", bytes.Replace(video, []byte("\x00\x00\x00\x6cmvhd"), []byte("\x7f\xff\xff\xffmvhd"), 1), "invalid"},
		"a video without a moov box":      {"video", video[:24], "invalid"},
	} {
		t.Run(name, func(t *testing.T) {
			body := object{"to": k.group, test.kind: data(test.file)}
			status := map[string]int{"unsupported_media": http.StatusUnsupportedMediaType, "invalid": http.StatusUnprocessableEntity}[test.code]
			k.with(t).call(http.MethodPost, messagesPath+"/"+test.kind, body).refused(status, test.code, "")
		})
	}
	for name, body := range map[string]object{
		"no base64": {"to": k.group, "image": object{"data": "@@@"}},
		"both":      {"to": k.group, "image": object{"data": "AAAA", "url": "https://example.org/x.jpg"}},
		"neither":   {"to": k.group, "image": object{}},
		"none":      {"to": k.group},
	} {
		t.Run(name, func(t *testing.T) {
			if a := k.with(t).call(http.MethodPost, messagesPath+"/image", body); a.code != http.StatusUnprocessableEntity {
				t.Errorf("%d %s", a.code, a.raw)
			}
		})
	}
	nothingKept(t, dir)
	k.heardNothing()
	// What a document is called is no path here, nor anywhere else.
	for _, name := range []string{"../../../evil.txt", `..\..\evil.txt`, "/etc/evil.txt", "evil\x00.txt", "CON", strings.Repeat("x", 255)} {
		answer := k.call(http.MethodPost, messagesPath+"/document", object{"to": k.group, "document": data([]byte("text")), "filename": name})
		if answer.code != http.StatusOK && answer.code != http.StatusUnprocessableEntity {
			t.Errorf("%q: %d %s", name, answer.code, answer.raw)
		}
	}
	for _, outside := range []string{filepath.Join(dir, "evil.txt"), filepath.Join(filepath.Dir(dir), "evil.txt"), "/etc/evil.txt"} {
		if _, err := os.Stat(outside); err == nil {
			t.Errorf("%s was written", outside)
		}
	}
}

// bomb is a PNG that claims to be large: of its own size it has next to nothing.
func bomb(t *testing.T, width, height uint32) []byte {
	t.Helper()
	var packed bytes.Buffer
	writer := zlib.NewWriter(&packed)
	if _, err := writer.Write(make([]byte, 1<<20)); err != nil {
		t.Fatal(err)
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	chunk := func(name string, body []byte) []byte {
		out := binary.BigEndian.AppendUint32(nil, uint32(len(body)))
		sealed := append([]byte(name), body...)
		return binary.BigEndian.AppendUint32(append(out, sealed...), crc32.ChecksumIEEE(sealed))
	}
	header := append(u32(width, height), 8, 0, 0, 0, 0) // eight bits of grey
	return bytes.Join([][]byte{
		[]byte("\x89PNG\r\n\x1a\n"), chunk("IHDR", header), chunk("IDAT", packed.Bytes()), chunk("IEND", nil),
	}, nil)
}
