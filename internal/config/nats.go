package config

import (
	"errors"
	"fmt"
	"regexp"
)

// NATS says which message broker gets every event, if any.
type NATS struct {
	URL         string `key:"url" doc:"Pass every event on to this NATS server with JetStream: nats://host:4222 or tls://host:4222, several with commas between, user and password or a token in front of an @. Empty passes none."`
	Credentials string `key:"credentials" doc:"Path of a .creds file to sign in with."`
	Stream      string `key:"stream" doc:"The JetStream stream. It is made when it does not exist."`
	Subject     string `key:"subject" doc:"What every subject begins with: SUBJECT.SESSION.TYPE, as in muster.shop.group.participants."`
}

// The names that NATS accepts, and a bit less.
var (
	validStream  = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)
	validSubject = regexp.MustCompile(`^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$`)
)

func (n NATS) validate() error {
	var problems []error
	if !validStream.MatchString(n.Stream) {
		problems = append(problems, fmt.Errorf("nats.stream: %q is not a name of letters, digits, _ and -", n.Stream))
	}
	if !validSubject.MatchString(n.Subject) {
		problems = append(problems, fmt.Errorf("nats.subject: %q is not a subject such as muster or bots.muster", n.Subject))
	}
	return errors.Join(problems...)
}
