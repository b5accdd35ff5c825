package fakewechat

import (
	"net"
	"net/http"
	"net/url"
	"strings"
)

// sameOrigin refuses what a page of another origin sends with a tester's browser. Programs send neither Origin nor
// Sec-Fetch-Site and pass. The host is checked too: a stranger's name that resolves to this machine (DNS rebinding)
// would make a stranger's page look like our own.
func (s *Server) sameOrigin(r *http.Request) error {
	site := r.Header.Get("Sec-Fetch-Site")
	origin := r.Header.Get("Origin")
	switch {
	case !s.ownHost(r.Host):
		return refuse(http.StatusForbidden, "this host name is not mine; use 127.0.0.1, localhost or the public URL")
	case site != "" && site != "same-origin" && site != "none":
		return refuse(http.StatusForbidden, "control calls do not work from a page of another origin")
	case origin != "" && !sameHost(origin, r.Host):
		return refuse(http.StatusForbidden, "control calls do not work from a page of another origin")
	}
	return nil
}

func sameHost(origin, host string) bool {
	u, err := url.Parse(origin)
	return err == nil && u.Host == host
}

// ownHost accepts addresses, names without a dot (localhost, a container's name), and the host of the public URL.
func (s *Server) ownHost(hostport string) bool {
	host := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		host = h
	}
	if net.ParseIP(strings.Trim(host, "[]")) != nil || !strings.Contains(host, ".") || strings.HasSuffix(host, ".localhost") {
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	own, err := url.Parse(s.publicURL)
	return err == nil && strings.EqualFold(own.Hostname(), host)
}
