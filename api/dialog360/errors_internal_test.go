package dialog360

import (
	"testing"

	"muster/internal/fault"
)

// Every fault is the gateway's or Meta's; that Meta's table has a row for each is
// checked there.
func TestGatewaysFaults(t *testing.T) {
	t.Parallel()
	gateway := map[fault.Code]int{fault.Unauthenticated: 401, fault.Forbidden: 403, fault.Unavailable: 503}
	for _, code := range fault.Codes() {
		if got := gatewayStatus(code); got != gateway[code] {
			t.Errorf("the fault %s is answered by the gateway with %d, want %d", code, got, gateway[code])
		}
	}
}
