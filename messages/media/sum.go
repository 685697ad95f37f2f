package media

import (
	"crypto/sha256"
	"database/sql/driver"
	"encoding/hex"
	"fmt"
)

// Sum is the SHA-256 of a file's content, and the file's name in the store. It
// is written as 64 lower-case hexadecimal digits, in JSON and in SQL too.
type Sum [sha256.Size]byte

// SumOf takes a hash as content.Media has it.
func SumOf(hash []byte) (Sum, bool) {
	if len(hash) != sha256.Size {
		return Sum{}, false
	}
	return Sum(hash), true
}

// ParseSum reads the digits.
func ParseSum(text string) (Sum, error) {
	var s Sum
	if len(text) != hex.EncodedLen(len(s)) {
		return Sum{}, fmt.Errorf("%q is not a SHA-256 in hexadecimal digits", text)
	}
	if _, err := hex.Decode(s[:], []byte(text)); err != nil {
		return Sum{}, fmt.Errorf("%q is not a SHA-256 in hexadecimal digits: %w", text, err)
	}
	return s, nil
}

func (s Sum) String() string { return hex.EncodeToString(s[:]) }

// MarshalText is for JSON.
func (s Sum) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText is for JSON.
func (s *Sum) UnmarshalText(text []byte) (err error) {
	*s, err = ParseSum(string(text))
	return err
}

// Value is for SQL.
func (s Sum) Value() (driver.Value, error) { return s.String(), nil }

// Scan is for SQL.
func (s *Sum) Scan(value any) error {
	switch text := value.(type) {
	case string:
		return s.UnmarshalText([]byte(text))
	case []byte:
		return s.UnmarshalText(text)
	}
	return fmt.Errorf("a %T is not a SHA-256 in hexadecimal digits", value)
}
