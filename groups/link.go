package groups

import (
	"context"
	"fmt"

	"github.com/rs/zerolog"
	"go.mau.fi/whatsmeow"
	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"

	"muster/internal/fault"
	"muster/internal/idempotency"
	"muster/store"
)

// MaxSubGroups is how many groups one request may link or unlink, and how many
// WhatsApp allows in a community.
const MaxSubGroups = 100

// LinkStatus is what became of one group in a request about several.
type LinkStatus string

// Every LinkStatus.
const (
	StatusLinked     LinkStatus = "Linked"
	StatusUnlinked   LinkStatus = "Unlinked"
	StatusLinkFailed LinkStatus = "Failed"
)

// LinkResult is what became of one group.
type LinkResult struct {
	Input   string // as the request spelled it
	JID     string
	Status  LinkStatus
	Failure *Failure // when Status is StatusLinkFailed
}

// The codes of failures that only groups of communities have. They are part of
// the public API.
const (
	CodeGroupNotFound   = "group_not_found"
	CodeNotGroupAdmin   = "not_admin"
	CodeIsCommunity     = "is_community"
	CodeAlreadyLinked   = "already_linked"
	CodeCommunityFull   = "community_full"
	CodeNotLinked       = "not_linked"
	CodeIsAnnouncements = "announcement_group"
)

// The refusals of one group, reconstructed from WhatsApp Web's handling.
var (
	linkFailures = map[int]Failure{
		401: {Code: CodeNotGroupAdmin, Reason: "only an admin of the group may link it"},
		403: {Code: CodeNotGroupAdmin, Reason: "only an admin of the group may link it"},
		404: {Code: CodeGroupNotFound, Reason: "WhatsApp knows no such group"},
		405: {Code: CodeIsCommunity, Reason: "it is a community itself"},
		406: {Code: CodeCommunityFull, Reason: "the community has no place for the group or for its members"},
		409: {Code: CodeAlreadyLinked, Reason: "the group is in a community already"},
		419: {Code: CodeCommunityFull, Reason: "the community has no place for the group or for its members"},
	}
	unlinkFailures = map[int]Failure{
		401: {Code: CodeNotGroupAdmin, Reason: "only an admin of the community may unlink it"},
		403: {Code: CodeNotGroupAdmin, Reason: "only an admin of the community may unlink it"},
		404: {Code: CodeNotLinked, Reason: "the group is not in this community"},
		405: {Code: CodeIsAnnouncements, Reason: "the announcement group belongs to the community for ever"},
	}
)

// LinkGroupsRequest names groups to put into a community, or to take out.
type LinkGroupsRequest struct {
	Target // the community
	Groups []string
	// RemoveOrphans, when taking groups out: whoever is in no other group of the
	// community is removed from the community.
	RemoveOrphans bool
}

// Validate checks the community and every group, of which there must be one.
func (r LinkGroupsRequest) Validate() error {
	_, err := r.parse()
	return err
}

func (r LinkGroupsRequest) parse() ([]groupEntry, error) {
	if err := r.Target.Validate(); err != nil {
		return nil, err
	}
	if len(r.Groups) == 0 {
		return nil, fault.Field("groups", "must name at least one group")
	}
	return parseGroups(r.Groups)
}

// Link puts groups into a community, and answers for each of them, in the order
// asked. The account must be an admin of both.
func (s *Service) Link(ctx context.Context, req LinkGroupsRequest) ([]LinkResult, error) {
	return s.relink(ctx, req, linking{status: StatusLinked, kind: ChangeLinked, failures: linkFailures,
		node: func(groups []waBinary.Node) waBinary.Node {
			return waBinary.Node{Tag: "links", Content: []waBinary.Node{{
				Tag: "link", Attrs: waBinary.Attrs{"link_type": string(types.GroupLinkChangeTypeSub)}, Content: groups,
			}}}
		},
		answer: func(result *waBinary.Node) waBinary.Node { return result.GetChildByTag("links", "link") },
	})
}

// Unlink takes groups out of a community, and answers for each of them, in the
// order asked. They go on by themselves.
func (s *Service) Unlink(ctx context.Context, req LinkGroupsRequest) ([]LinkResult, error) {
	return s.relink(ctx, req, linking{status: StatusUnlinked, kind: ChangeUnlinked, failures: unlinkFailures,
		node: func(groups []waBinary.Node) waBinary.Node {
			return waBinary.Node{Tag: "unlink", Attrs: waBinary.Attrs{"unlink_type": string(types.GroupLinkChangeTypeSub)}, Content: groups}
		},
		answer: func(result *waBinary.Node) waBinary.Node { return result.GetChildByTag("unlink") },
	})
}

// linking is what the two directions differ in.
type linking struct {
	status   LinkStatus
	kind     ChangeKind
	failures map[int]Failure
	// node wraps the groups for the request, answer unwraps those of the result.
	node   func(groups []waBinary.Node) waBinary.Node
	answer func(result *waBinary.Node) waBinary.Node
}

// relink is not done with the client's LinkGroup and UnlinkGroup, which take one
// group each and drop the refusal inside the answer.
func (s *Service) relink(ctx context.Context, req LinkGroupsRequest, how linking) ([]LinkResult, error) {
	entries, err := req.parse()
	if err != nil {
		return nil, err
	}
	community, err := s.community(ctx, req.Target)
	if err != nil {
		return nil, err
	}
	ctx, done, err := s.exclusive(ctx, req.SessionID, community)
	if err != nil {
		return nil, err
	}
	defer done()
	ctx, expected := s.expect(ctx, req.SessionID, types.EmptyJID, "", as(how.kind))
	defer expected()
	linked, err := s.linked(ctx, req)
	if err != nil {
		return nil, err
	}
	asked := make([]waBinary.Node, len(entries))
	for i, entry := range entries {
		asked[i] = waBinary.Node{Tag: "group", Attrs: waBinary.Attrs{"jid": entry.jid}}
		if req.RemoveOrphans {
			asked[i].Attrs["remove_orphaned_members"] = "true"
		}
	}
	var results []LinkResult
	err = s.write(ctx, req.SessionID, func(ctx context.Context, client *whatsmeow.Client) error {
		answer, err := client.DangerousInternals().SendGroupIQ(ctx, "set", community, how.node(asked))
		if iqCode(err) == 400 {
			return errNoCommunity().Because(err)
		}
		if err != nil {
			return refused(err)
		}
		results = how.results(entries, how.answer(answer))
		how.correct(results, linked)
		return nil
	})
	if err != nil {
		return nil, s.explain(ctx, req.SessionID, community, err)
	}
	s.recordLinks(ctx, req.SessionID, community, how, entries, results)
	return results, nil
}

// linked lists the groups of the community where an earlier run of the same
// request may have changed them; nil otherwise.
func (s *Service) linked(ctx context.Context, req LinkGroupsRequest) (map[string]bool, error) {
	if !idempotency.From(ctx).Resumed() {
		return nil, nil
	}
	subs, err := s.SubGroups(ctx, SubGroupsRequest{req.Target})
	if err != nil {
		return nil, err
	}
	repeatable(ctx)
	linked := map[string]bool{}
	for _, sub := range subs {
		linked[sub.JID] = true
	}
	return linked, nil
}

// correct takes refusals back that only say that an earlier run has done it.
func (how linking) correct(results []LinkResult, linked map[string]bool) {
	if linked == nil {
		return
	}
	for i := range results {
		if linked[results[i].JID] == (how.status == StatusLinked) {
			results[i].Status, results[i].Failure = how.status, nil
		}
	}
}

// results reads the outcome of each group. Who is not mentioned succeeded: some
// answers are empty.
func (how linking) results(entries []groupEntry, answer waBinary.Node) []LinkResult {
	refusals := map[types.JID]int{}
	for _, node := range answer.GetChildrenByTag("group") {
		attrs := node.AttrGetter()
		refusals[attrs.OptionalJIDOrEmpty("jid")] = attrs.OptionalInt("error")
	}
	results := make([]LinkResult, len(entries))
	for i, entry := range entries {
		results[i] = LinkResult{Input: entry.input, JID: entry.jid.String(), Status: how.status}
		number := refusals[entry.jid]
		if number == 0 || number == 200 {
			continue
		}
		failure, known := how.failures[number]
		if !known {
			failure = unknownFailure(number)
		}
		failure.WhatsAppCode = number
		results[i].Status, results[i].Failure = StatusLinkFailed, &failure
	}
	return results
}

// recordLinks records the groups that were linked or unlinked. Those that the
// account is not in are no concern of the mirror.
func (s *Service) recordLinks(ctx context.Context, sessionID string, community types.JID, how linking, entries []groupEntry, results []LinkResult) {
	var changes []Change
	for i, result := range results {
		if result.Status != how.status {
			continue
		}
		change := s.own(sessionID, entries[i].jid, how.kind)
		change.Text = community.String()
		changes = append(changes, change)
	}
	if len(changes) == 0 {
		return
	}
	s.recorded(ctx, changes...)
	// The groups' members are the community's now, or no longer: events will
	// tell who that is, and until then what is known of it is out of date.
	err := store.Txn(context.WithoutCancel(ctx), s.mirror.db, func(ctx context.Context) error {
		return s.mirror.suspect(ctx, sessionID, community, hint{})
	})
	if err != nil {
		zerolog.Ctx(ctx).Error().Err(err).Str("group", community.String()).Msg("a community could not be marked as out of date")
	}
}

func indexed(field string, index int) string { return fmt.Sprintf("%s[%d]", field, index) }
