package groups

// differences lists what must change for the mirror's group to be like
// WhatsApp's, as changes that nobody is named for. The members are compared
// when they are loaded.
func (g *mirrored) differences(fresh Group, members bool) (list []Change) {
	texts := []struct {
		kind      ChangeKind
		was, want string
	}{
		{ChangeSubject, g.Subject, fresh.Subject},
		{ChangeDescription, g.Topic, fresh.Topic},
		{ChangeApproval, string(g.Settings.MembershipApproval), string(fresh.Settings.MembershipApproval)},
		{ChangeMemberAdd, string(g.Settings.MemberAdd), string(fresh.Settings.MemberAdd)},
		{ChangeMemberLink, string(g.Settings.MemberLink), string(fresh.Settings.MemberLink)},
	}
	for _, t := range texts {
		if t.was != t.want && (t.want != "" || !t.kind.mode()) { // a mode that is not told is none that changed
			list = append(list, Change{Kind: t.kind, Text: t.want, TopicID: fresh.TopicID})
		}
	}
	switches := []struct {
		kind      ChangeKind
		was, want bool
	}{
		{ChangeAnnounce, g.Announce, fresh.Announce},
		{ChangeLocked, g.Locked, fresh.Locked},
		{ChangeSuspended, g.Suspended, fresh.Suspended},
	}
	for _, s := range switches {
		if s.was != s.want {
			list = append(list, Change{Kind: s.kind, On: s.want})
		}
	}
	if g.DisappearingSeconds != fresh.DisappearingSeconds {
		list = append(list, Change{Kind: ChangeDisappearing, Seconds: fresh.DisappearingSeconds})
	}
	switch was, want := g.Community.Parent, fresh.Community.Parent; {
	case was == want:
	case want == "":
		list = append(list, Change{Kind: ChangeUnlinked, Text: was})
	default:
		list = append(list, Change{Kind: ChangeLinked, Text: want})
	}
	if g.details() != fresh.details() {
		list = append(list, Change{Kind: ChangeDetails, Info: &fresh})
	}
	if members && len(fresh.Participants) > 0 {
		list = append(list, g.memberDifferences(fresh)...)
	}
	return list
}

// keepTopicID puts the id of a deleted description into an answer, which shows
// neither: the event that told of the deletion had it. It is not for answers
// after a gap, in which another description may have come and gone.
func (g *mirrored) keepTopicID(fresh *Group) {
	if !g.stale && g.Topic == "" && fresh.Topic == "" && fresh.TopicID == "" {
		fresh.TopicID = g.TopicID
	}
}

// roll finds people by either name.
type roll map[string]int

func (r roll) add(who Identity, at int) {
	if who.LID != "" {
		r[who.LID] = at
	}
	if who.PhoneNumber != "" {
		r[who.PhoneNumber] = at
	}
}

func (r roll) find(who Identity) int {
	if at, ok := r[who.LID]; ok && who.LID != "" {
		return at
	}
	if at, ok := r[who.PhoneNumber]; ok && who.PhoneNumber != "" {
		return at
	}
	return -1
}

func (g *mirrored) memberDifferences(fresh Group) (list []Change) {
	mine, theirs := roll{}, roll{}
	for i, r := range g.members {
		mine.add(r.Identity, i)
	}
	for i, p := range fresh.Participants {
		theirs.add(p.Identity, i)
	}
	people := map[ChangeKind][]Identity{}
	for _, r := range g.members {
		if theirs.find(r.Identity) < 0 {
			people[ChangeExpelled] = append(people[ChangeExpelled], r.Identity)
		}
	}
	for _, p := range fresh.Participants {
		at := mine.find(p.Identity)
		switch {
		case at < 0:
			people[ChangeArrived] = append(people[ChangeArrived], p.Identity)
			if p.Role.Admin() {
				people[ChangePromoted] = append(people[ChangePromoted], p.Identity)
			}
		case p.Role.Admin() && !g.members[at].Role.Admin():
			people[ChangePromoted] = append(people[ChangePromoted], p.Identity)
		case !p.Role.Admin() && g.members[at].Role.Admin():
			people[ChangeDemoted] = append(people[ChangeDemoted], p.Identity)
		}
	}
	for _, kind := range []ChangeKind{ChangeExpelled, ChangeArrived, ChangePromoted, ChangeDemoted} {
		if len(people[kind]) > 0 {
			list = append(list, Change{Kind: kind, People: people[kind]})
		}
	}
	return list
}

// settleRest takes over what is no change in anybody's eyes: names that are
// learnt, which of the admins is the creator, ids and versions.
func (g *mirrored) settleRest(fresh Group, members bool, me Identity) {
	if g.ended {
		return
	}
	if g.stale || g.version != fresh.version || g.TopicID != fresh.TopicID || !g.TopicSetAt.Equal(fresh.TopicSetAt) {
		g.stale, g.version, g.TopicID, g.TopicSetAt = false, fresh.version, fresh.TopicID, fresh.TopicSetAt
		g.dirty = true
	}
	g.ask = false
	if members && len(fresh.Participants) > 0 {
		theirs := roll{}
		for i, p := range fresh.Participants {
			theirs.add(p.Identity, i)
		}
		for i := range g.members {
			at := theirs.find(g.members[i].Identity)
			if at < 0 {
				continue
			}
			p := fresh.Participants[at]
			changed := g.members[i].learn(p.Identity) || g.members[i].Role != p.Role
			g.members[i].Role = p.Role
			g.touch(i, changed)
		}
		g.count(me)
	} else if len(fresh.Participants) == 0 && g.ParticipantCount != fresh.ParticipantCount {
		g.ParticipantCount, g.dirty = fresh.ParticipantCount, true
	}
	if g.MyRole != fresh.MyRole && fresh.MyRole != "" {
		g.MyRole, g.dirty = fresh.MyRole, true
	}
}
