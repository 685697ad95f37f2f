package config

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Size is a number of bytes, written with a unit: 512, 64KiB, 1MiB, 2MB.
type Size int64

// unit is a suffix and the bytes it stands for.
type unit struct {
	suffix string
	bytes  int64
}

// units has the long suffixes first, so that "KiB" is not read as "B".
func units() []unit {
	return []unit{
		{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30},
		{"KB", 1_000}, {"MB", 1_000_000}, {"GB", 1_000_000_000},
		{"B", 1},
	}
}

// ParseSize reads a size. A bare number means bytes.
func ParseSize(text string) (Size, error) {
	number, factor := strings.TrimSpace(text), int64(1)
	for _, u := range units() {
		if rest, ok := cutSuffixFold(number, u.suffix); ok {
			number, factor = strings.TrimSpace(rest), u.bytes
			break
		}
	}
	count, err := strconv.ParseInt(number, 10, 64)
	if err != nil || count < 0 || count > math.MaxInt64/factor {
		return 0, fmt.Errorf(`%q is not a size such as "64KiB" or "1MiB"`, text)
	}
	return Size(count * factor), nil
}

func cutSuffixFold(text, suffix string) (string, bool) {
	if len(text) < len(suffix) || !strings.EqualFold(text[len(text)-len(suffix):], suffix) {
		return text, false
	}
	return text[:len(text)-len(suffix)], true
}

// String writes the size in the largest binary unit that fits exactly.
func (s Size) String() string {
	for _, u := range []unit{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}} {
		if s != 0 && int64(s)%u.bytes == 0 {
			return strconv.FormatInt(int64(s)/u.bytes, 10) + u.suffix
		}
	}
	return strconv.FormatInt(int64(s), 10)
}
