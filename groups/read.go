package groups

import (
	"cmp"
	"context"
	"encoding/base64"
	"slices"
	"strings"

	"go.mau.fi/whatsmeow/types"

	"muster/internal/fault"
)

// How many groups one page of the list has when the request does not say, and
// at most.
const (
	DefaultPage = 1000
	MaxPage     = 2000
)

// ListRequest asks for the groups of a session, in the order of their JIDs.
type ListRequest struct {
	SessionID string
	Limit     int    // 0 is DefaultPage
	Cursor    string // NextCursor of the page before; empty is the beginning
}

// Validate checks the page's size and the cursor.
func (r ListRequest) Validate() error {
	if r.Limit < 0 || r.Limit > MaxPage {
		return fault.Field("limit", "must be between 1 and %d", MaxPage)
	}
	_, err := r.after()
	return err
}

// after is the JID that the page begins behind.
func (r ListRequest) after() (string, error) {
	jid, err := base64.RawURLEncoding.DecodeString(r.Cursor)
	if err != nil || r.Cursor != "" && !strings.HasSuffix(string(jid), "@"+types.GroupServer) {
		return "", fault.Field("cursor", "is not one that a list answered with")
	}
	return string(jid), nil
}

// List is one page of a session's groups.
type List struct {
	Groups []Group
	// Total counts all groups, not only this page's.
	Total int
	// NextCursor is empty on the last page.
	NextCursor string
}

// List returns the groups that the session's account is in.
func (s *Service) List(ctx context.Context, req ListRequest) (List, error) {
	if err := req.Validate(); err != nil {
		return List{}, err
	}
	after, err := req.after()
	if err != nil {
		return List{}, err
	}
	all, err := s.groups(ctx, req.SessionID)
	if err != nil {
		return List{}, err
	}
	return page(all, after, cmp.Or(req.Limit, DefaultPage)), nil
}

func page(all []Group, after string, limit int) List {
	slices.SortFunc(all, func(a, b Group) int { return strings.Compare(a.JID, b.JID) })
	rest := all
	if after != "" {
		at, found := slices.BinarySearchFunc(all, after, func(g Group, jid string) int { return strings.Compare(g.JID, jid) })
		if found {
			at++
		}
		rest = all[at:]
	}
	list := List{Groups: rest, Total: len(all)}
	if len(rest) > limit {
		list.Groups = rest[:limit]
		list.NextCursor = base64.RawURLEncoding.EncodeToString([]byte(rest[limit-1].JID))
	}
	return list
}

// GetRequest asks for one group.
type GetRequest struct{ Target }

// Get returns one group with its members. The account must be in it: fault
// group_not_found or not_in_group otherwise.
func (s *Service) Get(ctx context.Context, req GetRequest) (Group, error) {
	jid, err := req.group()
	if err != nil {
		return Group{}, err
	}
	return s.group(ctx, req.SessionID, jid)
}
