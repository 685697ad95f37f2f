package messages

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"muster/messages/content"
)

// How texts become words is the same on every database: the databases' own ways
// differ, and none of them finds words in Chinese, which writes no spaces. Here
// a text is cut into words; those of writings without spaces are cut into single
// characters, which are searched for as phrases.

// Bounds of what is indexed of one message. PostgreSQL refuses more than 2 KiB
// in a word and 1 MiB in all, and counts positions to 16383.
const (
	maxWord    = 64 // characters, marks included
	maxWords   = 16000
	maxIndexed = 256 << 10 // bytes
)

// unspaced are the writings that put no spaces between words.
func unspaced(r rune) bool {
	return (unicode.IsLetter(r) || unicode.IsNumber(r)) && unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Bopomofo,
		unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar)
}

// optionalMark tells whether the marks on a character are such as people leave
// out or add as they like: accents, and the vowel signs of Arabic and Hebrew.
func optionalMark(base rune) bool {
	return base == 0 || unicode.In(base, unicode.Latin, unicode.Greek, unicode.Cyrillic, unicode.Arabic, unicode.Hebrew)
}

// fold makes one of the characters that people use for another.
func fold(r rune) rune {
	switch r {
	case 'ı': // Turkish dotless i, which a capital I would otherwise not find
		return 'i'
	case 'ى', 'ی': // alef maksura and Persian yeh, for yeh
		return 'ي'
	case 'ة': // its ending of feminine words, often written as the next letter
		return 'ه'
	case 'ک': // Persian kaf
		return 'ك'
	case 'ٱ': // alef wasla
		return 'ا'
	}
	return unicode.ToLower(r)
}

// tatweel stretches an Arabic word and means nothing.
const tatweel = 'ـ'

// wordRun is one run of letters and digits: words that belong together. Of an
// unspaced writing, each character is a word.
type wordRun struct {
	words  []string
	phrase bool // the words stand side by side
}

// cut cuts a text into runs.
func cut(text string) (runs []wordRun) {
	var word strings.Builder
	var base rune
	length, phrase := 0, false
	endWord := func() {
		if word.Len() > 0 && !phrase {
			runs = append(runs, wordRun{words: []string{norm.NFC.String(word.String())}})
		}
		word.Reset()
		length = 0
	}
	for _, r := range norm.NFKD.String(strings.ToValidUTF8(text, " ")) {
		switch {
		case r == tatweel:
		case unicode.Is(unicode.M, r):
			if length > 0 && length < maxWord && !optionalMark(base) && !phrase {
				word.WriteRune(r)
				length++
			}
		case unspaced(r):
			endWord()
			if !phrase {
				runs, phrase = append(runs, wordRun{phrase: true}), true
			}
			last := &runs[len(runs)-1]
			last.words = append(last.words, string(r))
			base = r
		case unicode.IsLetter(r), unicode.IsNumber(r):
			phrase = false
			if base = fold(r); length < maxWord {
				word.WriteRune(base)
				length++
			}
		default:
			endWord()
			phrase = false
		}
	}
	endWord()
	return runs
}

// wordsOf are the words of a message as they are indexed, separated by spaces.
func wordsOf(c content.Content) string {
	parts := []string{c.Text}
	if m := c.Media; m != nil {
		parts = append(parts, m.Filename, m.Title)
	}
	if l := c.Location; l != nil {
		parts = append(parts, l.Name, l.Address)
	}
	for _, card := range c.Contacts {
		parts = append(parts, card.Name)
		for _, phone := range card.Phones {
			parts = append(parts, phone.Number)
		}
	}
	if p := c.Poll; p != nil {
		parts = append(append(parts, p.Name), p.Options...)
	}
	if c.Invite != nil {
		parts = append(parts, c.Invite.Name)
	}
	if c.Link != nil {
		parts = append(parts, c.Link.Title)
	}
	var words []string
	size := 0
	for _, run := range cut(strings.Join(parts, "\n")) {
		for _, word := range run.words {
			if size += len(word) + 1; size > maxIndexed || len(words) == maxWords {
				return strings.Join(words, " ")
			}
			words = append(words, word)
		}
	}
	return strings.Join(words, " ")
}

// query is what is searched for: all of the runs, the last word also as the
// beginning of a longer one.
type query []wordRun

func parseQuery(text string) query { return cut(text) }

// prefixed tells whether the run's last word may go on.
func (q query) prefixed(i int) bool { return i == len(q)-1 && !q[i].phrase }

// fts5 writes the query for SQLite's FTS5.
func (q query) fts5() string {
	var terms []string
	for i, run := range q {
		term := `"` + strings.Join(run.words, " ") + `"`
		if q.prefixed(i) {
			term += " *"
		}
		terms = append(terms, term)
	}
	return strings.Join(terms, " AND ")
}

// fts4 writes the query for SQLite's FTS4, where the star is inside.
func (q query) fts4() string {
	var terms []string
	for i, run := range q {
		term := strings.Join(run.words, " ")
		if q.prefixed(i) {
			term += "*"
		}
		terms = append(terms, `"`+term+`"`)
	}
	return strings.Join(terms, " ")
}

// tsquery writes the query for PostgreSQL. Words are letters, digits and marks
// only, so that the quotes hold them.
func (q query) tsquery() string {
	var terms []string
	for i, run := range q {
		var words []string
		for _, word := range run.words {
			words = append(words, "'"+word+"'")
		}
		term := strings.Join(words, " <-> ")
		if q.prefixed(i) {
			term += ":*"
		}
		terms = append(terms, "("+term+")")
	}
	return strings.Join(terms, " & ")
}

// tsvector writes indexed words for PostgreSQL, with their places.
func tsvector(words string) string {
	var out strings.Builder
	for i, word := range strings.Fields(words) {
		if !utf8.ValidString(word) {
			continue
		}
		fmt.Fprintf(&out, "'%s':%d ", word, i+1)
	}
	return out.String()
}
