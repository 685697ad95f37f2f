package config

import (
	"fmt"
	"strings"
)

const exampleHeader = `# Muster: every setting with its default. All of them are optional.
#
# A setting is taken from, the last one wins: its default, this file
# (--config FILE or MUSTER_CONFIG), the environment variable named beside it,
# its flag. Durations are written like 30s or 2m, sizes like 64KiB or 1MiB.
# Generated from the configuration struct; ` + "`muster config`" + ` prints it.
`

//go:generate go test -run TestExampleIsCurrent -update

// Example is config.example.yaml: every key with its documentation, its
// environment variable and its default.
func Example() string {
	c := Default()
	var out strings.Builder
	out.WriteString(exampleHeader)
	section := ""
	for _, f := range fields(&c) {
		parent, name, nested := strings.Cut(f.key, ".")
		indent := ""
		if !nested {
			name = f.key
		} else {
			indent = "  "
			if parent != section {
				section = parent
				fmt.Fprintf(&out, "\n%s:\n", section)
			}
		}
		if !nested {
			out.WriteString("\n")
		}
		fmt.Fprintf(&out, "%s# %s\n%s# %s\n%s%s: %s\n", indent, f.doc, indent, f.env(), indent, name, quoteYAML(f))
	}
	return out.String()
}

func quoteYAML(f field) string {
	if _, text := f.value.Interface().(string); text {
		return fmt.Sprintf("%q", f.text())
	}
	return f.text()
}
