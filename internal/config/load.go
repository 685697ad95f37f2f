package config

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
)

// Sources are where settings come from, the weakest first.
type Sources struct {
	// File is the path of a YAML file, or empty.
	File string
	// Environ is the environment as os.Environ gives it.
	Environ []string
	// Flags maps keys ("sandbox.listen") to what the command line said.
	Flags map[string]string
}

// Load reads and checks the configuration.
func Load(s Sources) (Config, error) {
	c := Default()
	if s.File != "" {
		content, err := os.ReadFile(s.File)
		if err != nil {
			return Config{}, fmt.Errorf("read the configuration: %w", err)
		}
		if err = c.applyYAML(content); err != nil {
			return Config{}, fmt.Errorf("%s: %w", s.File, err)
		}
	}
	if err := c.applyEnvironment(s.Environ); err != nil {
		return Config{}, err
	}
	if err := c.applyFlags(s.Flags); err != nil {
		return Config{}, err
	}
	if c.DataDir == "" {
		c.DataDir = "./data"
		if c.Simulated() {
			c.DataDir = "./sandbox-data"
		}
	}
	return c, c.Validate()
}

// foreign are variables with our prefix that are not settings of the server:
// the file's own name, what `muster pair` needs to reach a server, and the
// switches of the test suite.
func foreign(name string) bool {
	return slices.Contains([]string{"MUSTER_CONFIG", "MUSTER_URL", "MUSTER_TOKEN", "MUSTER_REQUIRE_ALL"}, name) ||
		strings.HasPrefix(name, "MUSTER_TEST_") || kubernetes.MatchString(name)
}

// kubernetes are the variables that Kubernetes sets in every container beside a
// Service named "muster".
var kubernetes = regexp.MustCompile(`^MUSTER_(SERVICE_(HOST|PORT.*)|PORT|PORT_[0-9]+_(TCP|UDP|SCTP).*)$`)

func (c *Config) applyEnvironment(environ []string) error {
	known := map[string]field{}
	for _, f := range fields(c) {
		known[f.env()] = f
	}
	var problems []error
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		if !strings.HasPrefix(name, envPrefix) || foreign(name) {
			continue
		}
		f, ok := known[name]
		if !ok {
			problems = append(problems, fmt.Errorf("environment variable %s: there is no such setting", name))
		} else if err := f.set(value); err != nil {
			problems = append(problems, fmt.Errorf("environment variable %s: %w", name, err))
		}
	}
	return errors.Join(problems...)
}

func (c *Config) applyFlags(flags map[string]string) error {
	var problems []error
	for _, f := range fields(c) {
		if value, ok := flags[f.key]; ok {
			if err := f.set(value); err != nil {
				problems = append(problems, fmt.Errorf("flag for %s: %w", f.key, err))
			}
		}
	}
	return errors.Join(problems...)
}
