package meta

import (
	"cmp"
	"context"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"

	"muster/groups"
	"muster/internal/fault"
)

// The sizes of pages of Meta's lists.
const (
	defaultLimit = 25
	maxLimit     = 1024
)

// readLimit reads the parameter limit.
func readLimit(c *fiber.Ctx) (int, error) {
	text := c.Query("limit")
	if text == "" {
		return defaultLimit, nil
	}
	limit, err := strconv.Atoi(text)
	if err != nil || limit < 1 || limit > maxLimit {
		return 0, fault.Field("limit", "must be a number from 1 to %d", maxLimit)
	}
	return limit, nil
}

// readPlaces reads the cursors of a list, of which there may be one.
func readPlaces(c *fiber.Ctx) (after, before string, err error) {
	after, before = c.Query("after"), c.Query("before")
	if after != "" && before != "" {
		return "", "", fault.Field("before", "cannot be given together with after")
	}
	return after, before, nil
}

func badCursor(name string) error {
	return refuse(codeInvalidCursor, "%s is not a cursor of this list", name)
}

// cut takes a page out of a list: what is behind a place, or, with before, what
// is ahead of it. place compares an entry with it. The numbers say where the
// page is in the list.
func cut[T any](list []T, place func(T) int, before bool, limit int) (from, to int) {
	if before {
		to, _ = slices.BinarySearchFunc(list, 0, func(one T, _ int) int { return place(one) })
		return max(0, to-limit), to
	}
	from, found := slices.BinarySearchFunc(list, 0, func(one T, _ int) int { return place(one) })
	if found {
		from++
	}
	return from, min(len(list), from+limit)
}

// link is the address of another page of the list, on this server.
func link(c *fiber.Ctx, limit int, name, cursor string) string {
	query := url.Values{"limit": {strconv.Itoa(limit)}, name: {cursor}}
	return c.BaseURL() + string(c.Request().URI().PathOriginal()) + "?" + query.Encode()
}

// ListGroups lists the groups that the account is an admin of, as Meta lists
// only those that the business has made.
func (a *API) ListGroups(c Call) error {
	limit, err := readLimit(c.Ctx)
	if err != nil {
		return err
	}
	after, before, err := readPlaces(c.Ctx)
	if err != nil {
		return err
	}
	all, err := a.administered(c.UserContext(), c.Session.ID)
	if err != nil {
		return err
	}
	from, to := 0, min(limit, len(all))
	for name, cursor := range map[string]string{"after": after, "before": before} {
		if cursor == "" {
			continue
		}
		jid, ok := parseListCursor(cursor)
		if !ok {
			return badCursor(name)
		}
		from, to = cut(all, func(g groups.Listed) int { return cmp.Compare(g.JID, jid) }, name == "before", limit)
	}
	answer := groupList{Data: groupListData{Groups: []listedGroup{}}}
	for _, g := range all[from:to] {
		answer.Data.Groups = append(answer.Data.Groups, listedGroup{
			ID: GroupID(c.account(), g.JID), Subject: g.Subject, CreatedAt: seconds(g.CreatedAt),
		})
	}
	if from < to {
		first, last := listCursor(all[from].JID), listCursor(all[to-1].JID)
		answer.Paging.Cursors = &cursors{Before: first, After: last}
		if from > 0 {
			answer.Paging.Previous = link(c.Ctx, limit, "before", first)
		}
		if to < len(all) {
			answer.Paging.Next = link(c.Ctx, limit, "after", last)
		}
	}
	return c.JSON(answer)
}

// administered are the groups that the account is an admin of, by JID.
func (a *API) administered(ctx context.Context, sessionID string) ([]groups.Listed, error) {
	var all []groups.Listed
	request := groups.ListRequest{SessionID: sessionID, Admin: true, Limit: groups.MaxPage}
	for {
		page, err := a.services.Groups.List(ctx, request)
		if err != nil {
			return nil, err
		}
		all = append(all, page.Groups...)
		if request.Cursor = page.NextCursor; request.Cursor == "" {
			slices.SortFunc(all, func(a, b groups.Listed) int { return cmp.Compare(a.JID, b.JID) })
			return all, nil
		}
	}
}

// The fields that a group can be asked for.
const (
	fieldSubject      = "subject"
	fieldDescription  = "description"
	fieldSuspended    = "suspended"
	fieldCreated      = "creation_timestamp"
	fieldCount        = "total_participant_count"
	fieldParticipants = "participants"
	fieldApproval     = "join_approval_mode"
)

// groupInfo has the fields that were asked for; the others are nil.
type groupInfo struct {
	Product      string     `json:"messaging_product"`
	ID           string     `json:"id"`
	Subject      *string    `json:"subject,omitempty"`
	Description  *string    `json:"description,omitempty"`
	Suspended    *bool      `json:"suspended,omitempty"`
	CreatedAt    *timestamp `json:"creation_timestamp,omitempty"`
	Count        *int       `json:"total_participant_count,omitempty"`
	Participants *[]member  `json:"participants,omitempty"`
	Approval     *approval  `json:"join_approval_mode,omitempty"`
}

// GroupInfo tells of a group what the parameter fields asks for, and nothing
// but its id without it.
func (a *API) GroupInfo(c Call) error {
	fields, err := readFields(c.Query("fields"))
	if err != nil {
		return err
	}
	g, err := a.group(c, fields[fieldParticipants] || fields[fieldCount])
	if err != nil {
		return err
	}
	info := groupInfo{Product: product, ID: c.groupID()}
	others := withoutAccount(g.Participants, c)
	if fields[fieldSubject] {
		info.Subject = &g.Subject
	}
	if fields[fieldDescription] && g.Topic != "" {
		info.Description = &g.Topic
	}
	if fields[fieldSuspended] {
		info.Suspended = &g.Suspended
	}
	if fields[fieldCreated] && !g.CreatedAt.IsZero() {
		created := a.timestamp(g.CreatedAt)
		info.CreatedAt = &created
	}
	if fields[fieldCount] {
		count := len(others)
		info.Count = &count
	}
	if fields[fieldParticipants] {
		info.Participants = &others
	}
	if mode := modeOf(g.Settings.MembershipApproval); fields[fieldApproval] && mode != "" {
		info.Approval = &mode
	}
	return c.JSON(info)
}

// withoutAccount are the members that Meta counts: all but the business.
func withoutAccount(members []groups.Participant, c Call) []member {
	others := []member{}
	for _, m := range members {
		if m.JID != c.Session.AccountJID() && (m.LID == "" || m.LID != c.Session.AccountLID()) {
			others = append(others, memberOf(m.Identity))
		}
	}
	return others
}

func readFields(list string) (map[string]bool, error) {
	fields := map[string]bool{}
	for name := range strings.SplitSeq(list, ",") {
		switch name = strings.TrimSpace(name); name {
		case "", "id", "messaging_product":
		case fieldSubject, fieldDescription, fieldSuspended, fieldCreated, fieldCount, fieldParticipants, fieldApproval:
			fields[name] = true
		default:
			return nil, fault.Field("fields", "a group has no field %q", name)
		}
	}
	return fields, nil
}
