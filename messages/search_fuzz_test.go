package messages

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"muster/messages/content"
)

// FuzzWords: what strangers write becomes words that every database takes, and
// each of them is found by itself.
func FuzzWords(f *testing.F) {
	for _, seed := range []string{"", "Selamat pagi", "كتــاب", "我们明天iPhone", "\xff\x00'", "क\u093f\u093f", "Ⅷ ½ ﷺ", "İıI", "ก็", "가각"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		indexed := wordsOf(content.Content{Text: text})
		if len(indexed) > maxIndexed {
			t.Fatalf("%d bytes are indexed", len(indexed))
		}
		for _, word := range strings.Fields(indexed) {
			if !utf8.ValidString(word) || utf8.RuneCountInString(word) > maxWord {
				t.Fatalf("%q is no word", word)
			}
			for _, r := range word {
				if !unicode.IsLetter(r) && !unicode.IsNumber(r) && !unicode.Is(unicode.M, r) {
					t.Fatalf("%q has %q", word, r)
				}
			}
			if again := folded(word); again != word {
				t.Fatalf("%q is searched for as %q", word, again)
			}
		}
	})
}
