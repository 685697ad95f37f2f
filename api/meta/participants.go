package meta

import (
	"fmt"

	"muster/internal/address"
	"muster/internal/event"
	"muster/internal/fault"
)

// maxUsers is how many people one request may name.
const maxUsers = 8

type participantsBody struct {
	messagingProduct
	Participants []struct {
		User *word `json:"user"`
	} `json:"participants"`
}

// AddParticipants adds people. Who could not be added is told by webhook.
func (a *API) AddParticipants(c Call) error {
	return a.changeParticipants(c, event.OperationAddParticipants)
}

// RemoveParticipants removes people. Who could not be removed is told by webhook.
func (a *API) RemoveParticipants(c Call) error {
	return a.changeParticipants(c, event.OperationRemoveParticipants)
}

func (a *API) changeParticipants(c Call, operation string) error {
	b, err := readBody(c.Ctx)
	if err != nil {
		return err
	}
	users, err := readUsers(b)
	if err != nil {
		return err
	}
	return a.change(c, order{Operation: operation, Participants: users}, nil)
}

func readUsers(b body) ([]string, error) {
	var said participantsBody
	if err := b.into(&said); err != nil {
		return nil, err
	}
	if err := said.check(); err != nil {
		return nil, err
	}
	switch n := len(said.Participants); {
	case n == 0:
		return nil, fault.Field("participants", "must name at least one person")
	case n > maxUsers:
		return nil, fault.Field("participants", "names %d people; %d are the most", n, maxUsers)
	}
	users := make([]string, len(said.Participants))
	seen := map[string]bool{}
	for i, p := range said.Participants {
		field := fmt.Sprintf("participants[%d].user", i)
		if p.User == nil {
			return nil, fault.Field(field, "is required")
		}
		who, err := address.Person(field, string(*p.User))
		if err != nil {
			return nil, err
		}
		if seen[who.String()] {
			return nil, refuse(codeDuplicate, "%s: %s is there twice", field, *p.User)
		}
		seen[who.String()] = true
		users[i] = string(*p.User)
	}
	return users, nil
}

// DeleteGroup ends a group for everybody. How that went is told by webhook.
func (a *API) DeleteGroup(c Call) error {
	return a.change(c, order{Operation: event.OperationDeleteGroup}, nil)
}
