package media

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"
)

// prefix is where everything lives. The real service serves downloads under
// other paths; clients take whatever direct path they are given.
const prefix = "/mms/"

// uploaded is the answer to an upload, as whatsmeow's UploadResponse and
// Baileys' getWAUploadToServer read it.
type uploaded struct {
	URL        string `json:"url"`
	DirectPath string `json:"direct_path"`
	Handle     string `json:"handle"`
}

// Handler serves uploads (POST /mms/<kind>/<token>?auth=…&token=…), downloads
// (GET <direct path>&…) and deletions (DELETE /mms/<kind>/<token>?d_md=…).
func (s *Store) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		kind, name, ok := splitPath(r.URL.Path)
		if !ok {
			http.NotFound(w, r)
			return
		}
		if status := s.fails(r.Method, kind); status != 0 {
			http.Error(w, http.StatusText(status), status)
			return
		}
		switch r.Method {
		case http.MethodPost:
			s.upload(w, r, kind, name)
		case http.MethodGet, http.MethodHead:
			s.download(w, r, kind, name)
		case http.MethodDelete:
			s.remove(w, r, kind, name)
		default:
			w.Header().Set("Allow", "GET, HEAD, POST, DELETE")
			http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		}
	})
}

// upload stores a body whose name in the URL is the base64url of its SHA-256.
func (s *Store) upload(w http.ResponseWriter, r *http.Request, kind, token string) {
	if !s.authorised(r) {
		http.Error(w, "media_conn's auth and the token are needed", http.StatusUnauthorized)
		return
	}
	content, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxBlob))
	if err != nil {
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			http.Error(w, "too large", http.StatusRequestEntityTooLarge)
			return
		}
		http.Error(w, "could not read the body", http.StatusBadRequest)
		return
	}
	sum := sha256.Sum256(content)
	want, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(token, "="))
	if err != nil || !bytes.Equal(want, sum[:]) {
		http.Error(w, "the token is not the hash of the body", http.StatusBadRequest)
		return
	}
	path, err := s.Put(kind, content)
	switch {
	case errors.Is(err, ErrKind):
		http.Error(w, "no such kind of media", http.StatusBadRequest)
		return
	case err != nil:
		http.Error(w, "no room", http.StatusInsufficientStorage)
		return
	}
	s.changed()
	w.Header().Set("Content-Type", "application/json")
	// An error here means that the client went away, which is its own affair.
	_ = json.NewEncoder(w).Encode(uploaded{URL: "http://" + r.Host + path, DirectPath: path, Handle: "4:" + token})
}

// download serves a blob, in ranges too: Baileys asks for parts of a file.
func (s *Store) download(w http.ResponseWriter, r *http.Request, kind, id string) {
	content, ok := s.Get(prefix + kind + "/" + id)
	if !ok {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	if kind == pictureKind {
		w.Header().Set("Content-Type", "image/jpeg")
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
}

// remove deletes the upload that the client names by its token, or more
// exactly by its direct path in d_md (base64url, without the query).
func (s *Store) remove(w http.ResponseWriter, r *http.Request, kind, token string) {
	if !s.authorised(r) {
		http.Error(w, "media_conn's auth and the token are needed", http.StatusUnauthorized)
		return
	}
	path := s.byToken(kind, token)
	if raw, err := base64.RawURLEncoding.DecodeString(r.URL.Query().Get("d_md")); err == nil && len(raw) > 0 {
		path = string(raw)
	}
	if !s.Delete(path) {
		http.NotFound(w, r)
		return
	}
	s.changed()
	w.WriteHeader(http.StatusOK)
}

// byToken finds the newest upload of a kind with a token, as its direct path.
func (s *Store) byToken(kind, token string) string {
	hash, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(token, "="))
	if err != nil {
		return ""
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := len(s.order) - 1; i >= 0; i-- {
		b := s.blobs[s.order[i]]
		if b.Kind == kind && bytes.Equal(b.Hash[:], hash) {
			return directPathOf(kind, s.order[i])
		}
	}
	return ""
}

// directPathOf is where a blob is downloaded. Clients append "&hash=…", so it
// must have a query.
func directPathOf(kind, id string) string { return prefix + kind + "/" + id + "?ccb=1-7" }

// splitPath takes a path of the form /mms/<kind>/<name> apart; a query is ignored.
func splitPath(path string) (kind, name string, ok bool) {
	path, _, _ = strings.Cut(path, "?")
	rest, found := strings.CutPrefix(path, prefix)
	if !found {
		return "", "", false
	}
	kind, name, found = strings.Cut(rest, "/")
	if !found || !kindPattern.MatchString(kind) || name == "" || strings.Contains(name, "/") {
		return "", "", false
	}
	return kind, name, true
}
