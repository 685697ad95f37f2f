// Package demo fills a sandbox with people and groups to try Muster on, and
// keeps them busy: they chat, join by link, ask to join and leave.
package demo

import (
	"errors"
	"fmt"

	"go.mau.fi/whatsmeow/types"

	"muster/sandbox"
	"muster/sandbox/service"
)

// Number is the phone that the demo session is linked to.
const Number = "4915150000000"

// cast are the people of the demo, by trade; their numbers follow Number.
var cast = []string{
	"Baker", "Librarian", "Cyclist", "Gardener", "Carpenter", "Nurse", "Pilot", "Teacher", "Painter", "Farmer",
	"Chemist", "Tailor", "Potter", "Sailor", "Florist", "Plumber", "Violinist", "Astronomer", "Beekeeper",
	"Cartographer", "Clockmaker", "Glassblower",
}

// regulars is how many of the cast are in groups from the start; the others
// come and go.
const regulars = 18

// documented are the numbers that the documentation of the session-style API
// uses in its examples, so that these can be tried as they stand.
var documented = []sandbox.PhoneOptions{
	{Number: "628123456789", Name: "Weaver"},
	{Number: "628987654321", Name: "Miller"},
}

// plan describes one group of the demo.
type plan struct {
	name, description string
	owner             int // of the cast; -1 is the demo phone
	members           []int
	approval          bool
}

// plans are the demo's groups. The demo phone owns the first and is an admin of
// the others, so that the examples of the documentation work in any of them.
var plans = []plan{
	{name: "Market square", description: "Stalls, times and who brings the coffee.", owner: -1, members: span(0, regulars)},
	{name: "Sunday ride", description: "Meeting at the bridge at eight.", owner: 2, members: []int{0, 4, 6, 9, 13, 17}, approval: true},
	{name: "Reading circle", description: "One book a month.", owner: 1, members: []int{3, 5, 7, 8, 10, 11, 14, 16}},
}

// Fill makes the demo's phones and groups, unless they are there already from
// an earlier run.
func Fill(srv *sandbox.Server) error {
	if _, err := srv.Phone(Number); err == nil {
		return nil
	} else if !errors.Is(err, service.ErrUnknownPhone) {
		return err
	}
	if _, err := srv.AddPhone(sandbox.PhoneOptions{Number: Number, Name: "Muster demo"}); err != nil {
		return fmt.Errorf("demo phone: %w", err)
	}
	for i, name := range cast {
		if _, err := srv.AddPhone(sandbox.PhoneOptions{Number: number(i), Name: name}); err != nil {
			return fmt.Errorf("phone of %s: %w", name, err)
		}
	}
	for _, p := range documented {
		if _, err := srv.AddPhone(p); err != nil {
			return fmt.Errorf("phone of %s: %w", p.Name, err)
		}
	}
	for _, p := range plans {
		if err := p.make(srv); err != nil {
			return fmt.Errorf("group %s: %w", p.name, err)
		}
	}
	return nil
}

func (p plan) make(srv *sandbox.Server) error {
	owner := number(p.owner)
	people := make([]string, 0, len(p.members)+1)
	if owner != Number {
		people = append(people, Number)
	}
	for _, i := range p.members {
		people = append(people, number(i))
	}
	approval := "off"
	if p.approval {
		approval = "on"
	}
	jid, _, _, err := srv.CreateGroup(owner, sandbox.GroupOptions{
		Name: p.name, Participants: people, Description: p.description,
		Settings: sandbox.Settings{ApprovalMode: &approval},
	})
	if err != nil || owner == Number {
		return err
	}
	_, err = srv.ChangePeople(owner, jid, service.ActPromote, []string{Number})
	return err
}

// number is the phone number of one of the cast; -1 is the demo phone.
func number(i int) string {
	return fmt.Sprintf("%s%02d", Number[:len(Number)-2], i+1)
}

// span lists the integers from low up to, not including, high.
func span(low, high int) []int {
	list := make([]int, 0, high-low)
	for i := low; i < high; i++ {
		list = append(list, i)
	}
	return list
}

// groups finds the demo's groups that still exist, by their position in plans.
func groups(srv *sandbox.Server) ([]types.JID, error) {
	all := srv.Groups()
	if len(all) < len(plans) {
		return nil, fmt.Errorf("the demo's groups are gone")
	}
	return all[:len(plans)], nil
}
