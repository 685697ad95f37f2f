package sandbox

import (
	"net"
	"net/http"
	"net/url"
)

// guard keeps web pages out. The control API asks for no key, and a browser on
// this machine would carry any page's requests to it: a page of another origin
// says so in its headers, and one whose name was pointed at this machine calls
// it by that name.
func guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		origin, site := r.Header.Get("Origin"), r.Header.Get("Sec-Fetch-Site")
		switch {
		case !local(r.Host):
			http.Error(w, "the sandbox answers to localhost and loopback addresses only", http.StatusMisdirectedRequest)
		case origin != "" && !localOrigin(origin), site == "cross-site", site == "same-site":
			http.Error(w, "the sandbox takes no requests from web pages of other origins", http.StatusForbidden)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// local tells whether a Host header names this machine.
func local(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	if len(host) > 2 && host[0] == '[' && host[len(host)-1] == ']' {
		host = host[1 : len(host)-1]
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func localOrigin(origin string) bool {
	u, err := url.Parse(origin)
	return err == nil && u.Host != "" && local(u.Host)
}
