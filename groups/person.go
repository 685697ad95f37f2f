package groups

import (
	"context"
	"fmt"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/types"

	"muster/internal/address"
)

// person is somebody whom a request names.
type person struct {
	input   string // as the request spelled it
	pn, lid types.JID
	// absent: the number was looked up and belongs to no WhatsApp account.
	absent bool
	// self: the session's own account, which need not be asked about.
	self bool
}

// is tells whether the person goes by one of the names; empty ones match nobody.
func (p person) is(pn, lid types.JID) bool {
	return !pn.IsEmpty() && pn == p.pn || !lid.IsEmpty() && lid == p.lid
}

// maybe tells whether the names can be those of the person: none of them
// contradicts one that is known, and one of a kind that is not known yet.
func (p person) maybe(pn, lid types.JID) bool {
	contradicts := !pn.IsEmpty() && !p.pn.IsEmpty() && pn != p.pn || !lid.IsEmpty() && !p.lid.IsEmpty() && lid != p.lid
	return !contradicts
}

// learn takes over the names that were not known before.
func (p *person) learn(pn, lid types.JID) {
	if p.pn.IsEmpty() {
		p.pn = pn
	}
	if p.lid.IsEmpty() {
		p.lid = lid
	}
}

// address is the person's JID in a group of the mode, or the other one where
// that is not known: WhatsApp accepts both.
func (p person) address(mode types.AddressingMode) types.JID {
	if p.pn.IsEmpty() || mode == types.AddressingModeLID && !p.lid.IsEmpty() {
		return p.lid
	}
	return p.pn
}

// identify finds out both names of the people as far as the session knows
// them. With lookUp it first asks WhatsApp, once for all, which of the phone
// numbers have an account and what their canonical numbers are. Who is named
// twice is one person.
func identify(ctx context.Context, client *whatsmeow.Client, entries []address.Entry, lookUp bool) ([]person, error) {
	people, err := identifyEach(ctx, client, entries, lookUp)
	if err != nil {
		return nil, err
	}
	distinct := people[:0]
	for _, p := range people {
		if !includes(distinct, p) {
			distinct = append(distinct, p)
		}
	}
	return distinct, nil
}

// identifyEach is identify with one person for each entry, in their order.
func identifyEach(ctx context.Context, client *whatsmeow.Client, entries []address.Entry, lookUp bool) ([]person, error) {
	people := make([]person, len(entries))
	for i, entry := range entries {
		people[i].input = entry.Input
		people[i].pn, people[i].lid = pair(entry.JID)
	}
	if lookUp {
		if err := lookUpNumbers(ctx, client, people); err != nil {
			return nil, err
		}
	}
	for i := range people {
		var err error
		p := &people[i]
		if p.pn, p.lid, err = complete(ctx, client.Store.LIDs, p.pn, p.lid); err != nil {
			return nil, err
		}
	}
	return people, nil
}

// includes tells whether the person is among the people: a request may name
// somebody by phone and by LID, or by two spellings of one number.
func includes(people []person, p person) bool {
	for _, other := range people {
		if other.is(p.pn, p.lid) {
			return true
		}
	}
	return false
}

// lookUpNumbers asks which numbers are on WhatsApp. The answer also teaches the
// session the LIDs, and the canonical form of numbers that some countries
// write in two ways.
func lookUpNumbers(ctx context.Context, client *whatsmeow.Client, people []person) error {
	var numbers []string
	for _, p := range people {
		if !p.pn.IsEmpty() {
			numbers = append(numbers, "+"+p.pn.User)
		}
	}
	if len(numbers) == 0 {
		return nil
	}
	answers, err := client.IsOnWhatsApp(ctx, numbers)
	if err != nil {
		return fmt.Errorf("ask which numbers are on WhatsApp: %w", err)
	}
	for i := range people {
		if people[i].pn.IsEmpty() {
			continue
		}
		people[i].absent = true
		for _, answer := range answers {
			pn, lid := pair(answer.JID, answer.PhoneNumber)
			if !answer.IsIn || answer.Query != "+"+people[i].pn.User && !people[i].is(pn, lid) {
				continue
			}
			people[i].absent, people[i].lid = false, lid
			if !pn.IsEmpty() {
				people[i].pn = pn
			}
			break
		}
	}
	return nil
}
