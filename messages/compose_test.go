package messages

import "testing"

func TestRenameMention(t *testing.T) {
	for text, want := range map[string]string{
		"@62812 and @62812":        "@9876 and @9876",
		"@628120 is somebody else": "@628120 is somebody else",
		"@62812":                   "@9876",
		"62812 @6281":              "62812 @6281",
		"@@62812.":                 "@@9876.",
	} {
		if got := renameMention(text, "62812", "9876"); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
}
