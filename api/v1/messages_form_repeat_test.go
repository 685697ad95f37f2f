package v1_test

import (
	"net/http"
	"testing"
)

// A form is repeated when its fields and its file are the same, although each
// client separates them in another way each time.
func TestFormsAreRepeatable(t *testing.T) {
	r := newRig(t)
	r.people(ann)
	send := func(caption string, file []byte) answer {
		request := r.formRequest("document", map[string]string{"to": ann, "caption": caption}, "document", "a.txt", file)
		request.Header.Set(keyName, "a-form")
		return r.do(request)
	}
	first := send("the same", []byte("what it says")).status(http.StatusOK)
	send("the same", []byte("what it says")).replayed(first)
	send("the same", []byte("what it SAYS")).refused(http.StatusUnprocessableEntity, "invalid", keyName)
	send("another", []byte("what it says")).refused(http.StatusUnprocessableEntity, "invalid", keyName)
}
