package v1_test

import (
	"context"
	"net/http"
	"os"
	"strings"
	"testing"

	"muster/sandbox"
)

// TestDocumentedExamples runs the curl lines of the documentation.
func TestDocumentedExamples(t *testing.T) {
	r := newRig(t)
	const friend = "628123456789" // of the examples
	r.people(friend)
	jid := r.byPhone(myNumber, sandbox.GroupOptions{Name: "My Group", Participants: []string{friend}})
	r.follows(jid)
	text, err := os.ReadFile("testdata/curl.txt")
	if err != nil {
		t.Fatal(err)
	}
	replaced := strings.NewReplacer("http://localhost:3451", r.base, "YOUR_TOKEN", adminToken, "123456789-1234567890@g.us", jid).Replace(string(text))
	var answers []answer
	for _, words := range commands(t, replaced) {
		answers = append(answers, r.curl(words).status(http.StatusOK))
	}
	if len(answers) != 7 {
		t.Fatalf("ran %d examples", len(answers))
	}
	list, created, settings, link, reset, sent, left := answers[0], answers[1], answers[2], answers[3], answers[4], answers[5], answers[6]
	if groups, _ := list.body["groups"].([]any); len(groups) != 1 || list.body["total"] != float64(1) {
		t.Errorf("list: %s", list.raw)
	}
	r.agrees(created.text("group_jid"))
	if settings.body["success"] != true {
		t.Errorf("settings: %s", settings.raw)
	}
	if before, after := link.text("invite_link"), reset.text("invite_link"); before == "" || after == "" || before == after {
		t.Errorf("links: %s, then %s", before, after)
	}
	r.received(friend, "Hello group!", sent)
	left.is(`{"success":true}`)
}

// curl performs one command line.
func (r *rig) curl(words []string) answer {
	r.t.Helper()
	method, target, body := http.MethodGet, "", any(nil)
	header := http.Header{}
	for i := 1; i < len(words); i++ {
		switch words[i] {
		case "-X", "-H", "-d":
			i++
			switch value := words[i]; words[i-1] {
			case "-X":
				method = value
			case "-H":
				name, content, _ := strings.Cut(value, ": ")
				header.Set(name, content)
			case "-d":
				body = value
			}
		default:
			target = words[i]
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	request := r.request(ctx, method, strings.TrimPrefix(target, r.base), body)
	request.Header = header
	return r.do(request)
}

// commands splits text into command lines and their words, as a shell would:
// comments, quotes, and lines that go on after a backslash.
func commands(t *testing.T, text string) (list [][]string) {
	t.Helper()
	var words []string
	var word strings.Builder
	inWord := false
	endWord := func() {
		if inWord {
			words = append(words, word.String())
		}
		word.Reset()
		inWord = false
	}
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\' && strings.HasPrefix(text[i+1:], "\n"):
			i++
		case c == '#' && !inWord:
			i += strings.IndexByte(text[i:], '\n') - 1
		case c == '\'' || c == '"':
			length := strings.IndexByte(text[i+1:], c)
			if length < 0 {
				t.Fatalf("a quote does not end: %s", text[i:])
			}
			word.WriteString(text[i+1 : i+1+length])
			inWord, i = true, i+1+length
		case c == '\n':
			endWord()
			if words != nil {
				list = append(list, words)
			}
			words = nil
		case c == ' ':
			endWord()
		default:
			word.WriteByte(c)
			inWord = true
		}
	}
	return list
}
