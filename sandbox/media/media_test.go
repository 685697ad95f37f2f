package media

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"image"
	"image/jpeg"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

// newStore makes a store that knows the auth "a".
func newStore() *Store {
	s := NewStore(time.Now, nil)
	s.Grant("a", time.Now().Add(time.Hour))
	return s
}

// photo makes a JPEG image.
func photo(t testing.TB, width, height int) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := jpeg.Encode(&out, image.NewGray(image.Rect(0, 0, width, height)), nil); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func tokenOf(content []byte) string {
	sum := sha256.Sum256(content)
	return base64.URLEncoding.EncodeToString(sum[:])
}

func request(t *testing.T, method, address string, body []byte) (status int, answer []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, address, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err = io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, answer
}

func upload(t *testing.T, server, kind string, content []byte) uploaded {
	t.Helper()
	token := tokenOf(content)
	query := url.Values{"auth": {"a"}, "token": {token}}.Encode()
	status, body := request(t, http.MethodPost, server+"/mms/"+kind+"/"+token+"?"+query, content)
	if status != http.StatusOK {
		t.Fatalf("upload answered %d: %s", status, body)
	}
	var answer uploaded
	if err := json.Unmarshal(body, &answer); err != nil {
		t.Fatal(err)
	}
	return answer
}

func TestUploadDownloadDelete(t *testing.T) {
	t.Parallel()
	store := newStore()
	server := httptest.NewServer(store.Handler())
	defer server.Close()
	content := []byte("opaque")

	first, second := upload(t, server.URL, "image", content), upload(t, server.URL, "image", content)
	if first.DirectPath == second.DirectPath || !strings.Contains(first.DirectPath, "?") || first.Handle == "" {
		t.Fatalf("uploads are %+v and %+v", first, second)
	}
	// The way whatsmeow asks: it appends to the direct path.
	status, got := request(t, http.MethodGet, server.URL+first.DirectPath+"&hash=x&mms-type=image&__wa-mms=", nil)
	if status != http.StatusOK || !bytes.Equal(got, content) {
		t.Fatalf("download answered %d %q", status, got)
	}
	if status, got = request(t, http.MethodGet, first.URL, nil); status != http.StatusOK || !bytes.Equal(got, content) {
		t.Fatalf("download by URL answered %d %q", status, got)
	}
	path, _, _ := strings.Cut(first.DirectPath, "?")
	query := url.Values{
		"auth": {"a"}, "token": {tokenOf(content)}, "d_md": {base64.RawURLEncoding.EncodeToString([]byte(path))},
	}.Encode()
	if status, _ = request(t, http.MethodDelete, server.URL+"/mms/image/"+tokenOf(content)+"?"+query, nil); status != http.StatusOK {
		t.Fatalf("deletion answered %d", status)
	}
	if status, _ = request(t, http.MethodGet, server.URL+first.DirectPath, nil); status != http.StatusNotFound {
		t.Fatalf("the deleted blob answers %d", status)
	}
	if _, ok := store.Get(second.DirectPath); !ok {
		t.Fatal("the other upload of the same content is gone")
	}
	query = url.Values{"auth": {"a"}, "token": {"t"}}.Encode()
	if status, _ = request(t, http.MethodDelete, server.URL+"/mms/image/"+tokenOf(content)+"?"+query, nil); status != http.StatusOK {
		t.Fatalf("deletion by token answered %d", status)
	}
	if store.Size() != 0 {
		t.Fatalf("%d bytes are left", store.Size())
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	store := newStore()
	server := httptest.NewServer(store.Handler())
	defer server.Close()
	content := []byte("opaque")
	good := "/mms/image/" + tokenOf(content)
	for name, test := range map[string]struct {
		method, path string
		body         []byte
		want         int
	}{
		"no auth":          {http.MethodPost, good, content, http.StatusUnauthorized},
		"no token":         {http.MethodPost, good + "?auth=a", content, http.StatusUnauthorized},
		"forged auth":      {http.MethodPost, good + "?auth=b&token=t", content, http.StatusUnauthorized},
		"delete, forged":   {http.MethodDelete, good + "?auth=b&token=t", nil, http.StatusUnauthorized},
		"other content":    {http.MethodPost, good + "?auth=a&token=t", []byte("else"), http.StatusBadRequest},
		"token is no hash": {http.MethodPost, "/mms/image/%21?auth=a&token=t", content, http.StatusBadRequest},
		"pictures by hand": {http.MethodPost, "/mms/picture/" + tokenOf(content) + "?auth=a&token=t", content, http.StatusBadRequest},
		"too large":        {http.MethodPost, good + "?auth=a&token=t", make([]byte, MaxBlob+1), http.StatusRequestEntityTooLarge},
		"unknown blob":     {http.MethodGet, "/mms/image/nothing?ccb=1-7", nil, http.StatusNotFound},
		"no name":          {http.MethodGet, "/mms/image/", nil, http.StatusNotFound},
		"odd kind":         {http.MethodGet, "/mms/IMAGE/x", nil, http.StatusNotFound},
		"delete, no auth":  {http.MethodDelete, good, nil, http.StatusUnauthorized},
		"delete nothing":   {http.MethodDelete, good + "?auth=a&token=t", nil, http.StatusNotFound},
		"other method":     {http.MethodPatch, good, nil, http.StatusMethodNotAllowed},
	} {
		t.Run(name, func(t *testing.T) {
			if status, body := request(t, test.method, server.URL+test.path, test.body); status != test.want {
				t.Fatalf("answered %d (%s), want %d", status, body, test.want)
			}
		})
	}
}

func TestFailures(t *testing.T) {
	t.Parallel()
	store := newStore()
	server := httptest.NewServer(store.Handler())
	defer server.Close()
	blob := upload(t, server.URL, "image", []byte("x"))
	for _, bad := range []Failure{{Status: 200}, {Status: 404, Count: -1}, {Status: 404, Method: "PATCH"}, {Status: 404, Kind: "/"}} {
		if store.Fail(bad) == nil {
			t.Errorf("%+v was taken", bad)
		}
	}
	for _, f := range []Failure{
		{Method: http.MethodGet, Status: 403, Count: 1}, {Kind: "video", Status: 500}, {Status: 410, Count: 1}, {Status: 404},
	} {
		if err := store.Fail(f); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []int{403, 410, 404, 404} {
		if status, _ := request(t, http.MethodGet, server.URL+blob.DirectPath, nil); status != want {
			t.Fatalf("answered %d, want %d", status, want)
		}
	}
	store.ClearFailures()
	if status, _ := request(t, http.MethodGet, server.URL+blob.DirectPath, nil); status != http.StatusOK {
		t.Fatalf("answered %d once the failures were over", status)
	}
}

func TestOldestUploadsMakeRoom(t *testing.T) {
	t.Parallel()
	store := newStore()
	picture, err := store.SetPicture("me", photo(t, 640, 640))
	if err != nil {
		t.Fatal(err)
	}
	var paths []string
	for range MaxTotal/MaxBlob + 1 {
		path, err := store.Put("video", make([]byte, MaxBlob))
		if err != nil {
			t.Fatal(err)
		}
		paths = append(paths, path)
	}
	if store.Size() > MaxTotal {
		t.Fatalf("holds %d bytes", store.Size())
	}
	if _, ok := store.Get(paths[0]); ok {
		t.Error("the oldest upload is still there")
	}
	if _, ok := store.Get(paths[len(paths)-1]); !ok {
		t.Error("the newest upload is gone")
	}
	if _, ok := store.Get(picture.Path); !ok {
		t.Error("the picture had to go")
	}
	if _, err = store.Put("video", make([]byte, MaxBlob+1)); !errors.Is(err, ErrTooLarge) {
		t.Errorf("a blob too large is %v", err)
	}
	if _, err = store.Put("../x", nil); !errors.Is(err, ErrKind) {
		t.Errorf("an odd kind is %v", err)
	}
}

func TestPictures(t *testing.T) {
	t.Parallel()
	store := newStore()
	server := httptest.NewServer(store.Handler())
	defer server.Close()
	for name, content := range map[string][]byte{
		"empty": nil, "text": []byte("hello"), "cut off": photo(t, 640, 640)[:400], "too wide": photo(t, maxSide+1, 1),
	} {
		if _, err := store.SetPicture("me", content); !errors.Is(err, ErrNotJPEG) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if store.Size() != 0 {
		t.Fatalf("refused pictures left %d bytes", store.Size())
	}
	first, err := store.SetPicture("me", photo(t, 640, 640))
	if err != nil {
		t.Fatal(err)
	}
	second, err := store.SetPicture("me", photo(t, 320, 200))
	if err != nil {
		t.Fatal(err)
	}
	if first.ID == second.ID {
		t.Error("a new picture has the old id")
	}
	if _, ok := store.Get(first.Path); ok {
		t.Error("the replaced picture is still there")
	}
	status, body := request(t, http.MethodGet, server.URL+second.Preview, nil)
	config, err := jpeg.DecodeConfig(bytes.NewReader(body))
	if status != http.StatusOK || err != nil || config.Width != previewSide {
		t.Errorf("the preview is %d, %+v, %v", status, config, err)
	}
	if got, ok := store.Picture("me"); !ok || got != second {
		t.Errorf("the picture is %+v", got)
	}
	if !store.RemovePicture("me") || store.RemovePicture("me") || store.Size() != 0 {
		t.Errorf("removal left %d bytes", store.Size())
	}
}

func TestSnapshot(t *testing.T) {
	t.Parallel()
	store := newStore()
	path, err := store.Put("image", []byte("blob"))
	if err != nil {
		t.Fatal(err)
	}
	picture, err := store.SetPicture("me", photo(t, 64, 64))
	if err != nil {
		t.Fatal(err)
	}
	index, contents, err := store.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(index, []byte(base64.StdEncoding.EncodeToString([]byte("blob")))) {
		t.Errorf("the index holds contents: %s", index)
	}
	other := NewStore(time.Now, nil)
	if lost, err := other.Restore(index, contents); err != nil || lost != 0 {
		t.Fatalf("%d are lost, %v", lost, err)
	}
	if got, ok := other.Get(path); !ok || string(got) != "blob" || other.Size() != store.Size() {
		t.Fatalf("restored %q, %d bytes of %d", got, other.Size(), store.Size())
	}
	if got, ok := other.Picture("me"); !ok || got != picture {
		t.Fatalf("restored picture %+v", got)
	}
	server := httptest.NewServer(other.Handler())
	defer server.Close()
	upload(t, server.URL, "image", []byte("with the auth of before"))
	if again, err := other.Put("image", []byte("blob")); err != nil || again == path {
		t.Fatalf("a new upload is %q, %v", again, err)
	}
	for _, bad := range []string{"", "[]", `{"blobs":{"a":null}}`, `{"blobs":{"a":{"kind":"image","hash":"00"}}}`, `{"order":["a"]}`} {
		if _, err := other.Restore([]byte(bad), contents); err == nil {
			t.Errorf("%q was restored", bad)
		}
	}
	if _, ok := other.Get(path); !ok {
		t.Error("a failed restore emptied the store")
	}
	if lost, err := other.Restore(index, nil); err != nil || lost != 3 || other.Size() != 0 {
		t.Errorf("without contents: %d are lost, %v, %d bytes", lost, err, other.Size())
	}
	if _, ok := other.Picture("me"); ok {
		t.Error("there is a picture without its content")
	}
	if _, err = other.Restore([]byte("{}"), nil); err != nil || other.Size() != 0 {
		t.Errorf("an empty snapshot: %v, %d bytes", err, other.Size())
	}
}

func TestAuthsExpire(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_700_000_000, 0)
	store := NewStore(func() time.Time { return now }, nil)
	server := httptest.NewServer(store.Handler())
	defer server.Close()
	store.Grant("a", now.Add(time.Minute))
	upload(t, server.URL, "image", []byte("x"))
	now = now.Add(time.Minute)
	token := tokenOf([]byte("x"))
	if status, _ := request(t, http.MethodPost, server.URL+"/mms/image/"+token+"?auth=a&token="+token, []byte("x")); status != http.StatusUnauthorized {
		t.Errorf("an expired auth answers %d", status)
	}
	store.Grant("b", now.Add(time.Minute))
	if len(store.auths) != 1 {
		t.Errorf("%d auths are kept, want 1", len(store.auths))
	}
}

func TestChangesAreTold(t *testing.T) {
	t.Parallel()
	told := 0
	store := NewStore(time.Now, func() { told++ })
	store.Grant("a", time.Now().Add(time.Hour))
	server := httptest.NewServer(store.Handler())
	defer server.Close()
	upload(t, server.URL, "image", []byte("x"))
	token := tokenOf([]byte("x"))
	request(t, http.MethodDelete, server.URL+"/mms/image/"+token+"?auth=a&token="+token, nil)
	request(t, http.MethodDelete, server.URL+"/mms/image/"+token+"?auth=a&token="+token, nil)
	if told != 2 {
		t.Errorf("told %d times of an upload, a deletion and one of nothing", told)
	}
}
