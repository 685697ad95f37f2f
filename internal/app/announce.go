package app

import (
	"fmt"
	"net"
	"strings"

	"muster/internal/config"
)

// announce tells a person where everything is.
func (a *App) announce() {
	base := "http://" + reachable(a.Addr())
	var text strings.Builder
	text.WriteString("Muster is running.\n")
	fmt.Fprintf(&text, "  API        %s/api/v1\n", base)
	fmt.Fprintf(&text, "  Reference  %s/docs (any user name, the token as password)\n", base)
	if a.sandbox != nil {
		fmt.Fprintf(&text, "  Sandbox    %s/control/v1/info\n", a.sandbox.URL())
	} else if a.config.WA.Endpoint != "" {
		fmt.Fprintf(&text, "  Simulator  %s\n", a.config.WA.Endpoint)
	}
	switch {
	case a.config.Simulated():
		fmt.Fprintf(&text, "  Token      %s\n", a.token)
	case a.token != "":
		fmt.Fprintf(&text, "  Token      %s (admin; this is the only time it is shown)\n", a.token)
	case a.config.AdminToken != "":
		text.WriteString("  Token      the one in admin_token\n")
	default:
		text.WriteString("  Token      shown by the first start; `muster token create` makes more\n")
	}
	path := "/api/v1/sessions"
	if a.demo() {
		path += "/" + demoSession + "/groups"
	}
	if a.token != "" {
		fmt.Fprintf(&text, "Try it:\n  curl -H \"Authorization: Bearer %s\" %s%s\n", a.token, base, path)
	}
	_, _ = fmt.Fprint(a.around.Out, text.String()) // nowhere to report that nobody reads
}

// demo tells whether the demo world runs inside this server.
func (a *App) demo() bool { return a.sandbox != nil && a.config.Sandbox.World == config.WorldDemo }

// reachable turns the address of a listener into one to call: a wildcard
// address cannot be dialled everywhere.
func reachable(address string) string {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}
