package sandbox_test

import (
	"os"
	"testing"

	"muster/sandbox/sandboxtest"
)

// Some tests make keys before they start a sandbox.
func TestMain(m *testing.M) {
	sandboxtest.Quiet()
	os.Exit(m.Run())
}
