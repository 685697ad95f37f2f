package cli

import (
	"bytes"
	"io"

	"github.com/mdp/qrterminal/v3"
)

// screen draws QR codes. On a terminal each code replaces the one before, so
// that an expired one is never there to be scanned.
type screen struct {
	out    io.Writer
	redraw bool
	lines  int // of the code that is shown
}

func newScreen(out io.Writer) *screen { return &screen{out: out, redraw: isTerminal(out)} }

func (s *screen) draw(text string) {
	var picture bytes.Buffer
	qrterminal.GenerateWithConfig(text, qrterminal.Config{
		Level: qrterminal.L, Writer: &picture, QuietZone: 2,
		HalfBlocks: true,
		BlackChar:  qrterminal.BLACK_BLACK, WhiteChar: qrterminal.WHITE_WHITE,
		BlackWhiteChar: qrterminal.BLACK_WHITE, WhiteBlackChar: qrterminal.WHITE_BLACK,
	})
	if s.redraw && s.lines > 0 {
		say(s.out, "\x1b[%dA\x1b[J", s.lines) // up to the old code's first line, and clear from there
	}
	s.lines = bytes.Count(picture.Bytes(), []byte("\n"))
	say(s.out, "%s", picture.Bytes())
}
