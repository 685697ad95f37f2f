package event

import (
	"crypto/rand"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Cursor is a place in the log, which has all sessions' events in one order:
// that of their commits. The zero value is the beginning.
type Cursor int64

// An event's id is "evt_", its position in base 36, and a random part that
// keeps events of different databases apart. A cursor is written like the
// beginning of an id, so that any id is a cursor too: that of what follows it.
const (
	idPrefix   = "evt_"
	idPosition = 10 // digits
	idRandom   = 10 // characters
)

func newID(position int64) string {
	return Cursor(position).String() + strings.ToLower(rand.Text()[:idRandom])
}

// String is the cursor as ParseCursor reads it.
func (c Cursor) String() string {
	digits := strconv.FormatInt(int64(c), 36)
	return idPrefix + strings.Repeat("0", max(0, idPosition-len(digits))) + digits
}

// ParseCursor reads an event's id or what Cursor.String wrote.
func ParseCursor(text string) (Cursor, error) {
	rest, ok := strings.CutPrefix(text, idPrefix)
	if !ok || len(rest) != idPosition && len(rest) != idPosition+idRandom {
		return 0, fmt.Errorf("%q is not the id of an event", text)
	}
	position, err := strconv.ParseUint(rest[:idPosition], 36, 63)
	if err != nil || position > math.MaxInt64 {
		return 0, fmt.Errorf("%q is not the id of an event", text)
	}
	return Cursor(position), nil
}
