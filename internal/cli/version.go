package cli

import (
	"runtime"
	"runtime/debug"

	"muster/internal/config"
)

type versionCommand struct{}

// Run prints the version, the commit it was built from, and the toolchain.
func (versionCommand) Run(term terminal) error {
	say(term.out, "muster %s %s/%s %s\n", version(), runtime.GOOS, runtime.GOARCH, runtime.Version())
	return nil
}

// version is the module version of a released build, else the commit.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	commit, dirty := "", ""
	for _, setting := range info.Settings {
		switch setting.Key {
		case "vcs.revision":
			commit = setting.Value
		case "vcs.modified":
			if setting.Value == "true" {
				dirty = "+changes"
			}
		}
	}
	if len(commit) < 12 {
		return "devel"
	}
	return "devel-" + commit[:12] + dirty
}

type configCommand struct{}

// Run prints config.example.yaml.
func (configCommand) Run(term terminal) error {
	say(term.out, "%s", config.Example())
	return nil
}
