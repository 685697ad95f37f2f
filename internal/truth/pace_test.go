package truth_test

import "muster/internal/config"

// unpaced lets the tests ask and act as fast as they can.
func unpaced(c *config.Config) {
	const plenty = 100_000
	c.Sessions.ReadRate, c.Sessions.ReadBurst = plenty, plenty
	c.Sessions.WriteRate, c.Sessions.WriteBurst = plenty, plenty
}
