package wire

import (
	"strings"

	"go.mau.fi/whatsmeow/binary/token"
)

// dictionary is one version of the strings that a node may abbreviate to one
// byte, or to a list number and one byte. Only reading needs one: a writer may
// always spell a string out.
type dictionary struct {
	single []string // by the byte itself; position 0 stands for nothing
	double [4][]string
}

// The two dictionaries in use, by the version that the intro announces. They
// are never changed.
//
//nolint:gochecknoglobals // tables that are never changed
var (
	dictionary2 = splitDictionary(dictionary2Single, dictionary2Double)
	dictionary3 = dictionary{single: token.SingleByteTokens[:], double: token.DoubleByteTokens}
)

func dictionaryFor(version byte) *dictionary {
	if version == dictionaryOld {
		return &dictionary2
	}
	return &dictionary3
}

func splitDictionary(single string, double [4]string) dictionary {
	d := dictionary{single: append([]string{""}, strings.Fields(single)...)}
	for i, list := range double {
		d.double[i] = strings.Fields(list)
	}
	return d
}
