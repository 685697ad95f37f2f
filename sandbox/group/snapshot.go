package group

import (
	"encoding/json"
	"fmt"

	"go.mau.fi/whatsmeow/types"
)

// snapshotVersion changes when older snapshots can no longer be read.
const snapshotVersion = 1

// snapshot is a Registry as JSON, without the directory, the clock, the random
// source and the hook.
type snapshot struct {
	Version     int                   `json:"version"`
	Groups      []*Group              `json:"groups"` // in the order of creation
	Codes       map[string]inviteCode `json:"codes"`
	LastVersion int64                 `json:"last_version"`
	Limits      map[LimitName]int64   `json:"limits"`
}

// Snapshot returns the whole state as JSON.
func (r *Registry) Snapshot() ([]byte, error) {
	limits := map[LimitName]int64{}
	for _, l := range r.limits {
		limits[l.Name] = l.Value
	}
	out, err := json.Marshal(snapshot{
		Version: snapshotVersion, Groups: r.All(), Codes: r.codes, LastVersion: r.version, Limits: limits,
	})
	if err != nil {
		return nil, fmt.Errorf("encode groups: %w", err)
	}
	return out, nil
}

// Restore replaces the whole state by a snapshot. After an error the state is
// what it was.
func (r *Registry) Restore(data []byte) error {
	var in snapshot
	if err := json.Unmarshal(data, &in); err != nil {
		return fmt.Errorf("decode groups: %w", err)
	}
	if in.Version != snapshotVersion {
		return fmt.Errorf("groups snapshot has version %d, want %d", in.Version, snapshotVersion)
	}
	fresh := NewRegistry(r.dir, r.now, r.random)
	for _, g := range in.Groups {
		if g == nil || g.JID.Server != types.GroupServer || fresh.groups[g.JID] != nil {
			return fmt.Errorf("groups snapshot: a group without address, or one twice")
		}
		fresh.register(g)
	}
	if err := fresh.checkLinks(); err != nil {
		return err
	}
	for name, value := range in.Limits {
		if err := fresh.SetLimit(name, value); err != nil {
			return fmt.Errorf("groups snapshot: %w", err)
		}
	}
	for code, what := range in.Codes {
		fresh.codes[code] = what
	}
	fresh.version = in.LastVersion
	fresh.interpose = r.interpose
	*r = *fresh
	return nil
}

// checkLinks refuses communities that do not hang together, on which every
// operation relies.
func (r *Registry) checkLinks() error {
	for _, g := range r.groups {
		for i, jid := range g.Subs {
			sub := r.groups[jid]
			if sub == nil || sub.LinkedParent != g.JID || sub.DefaultSub != (i == 0) {
				return fmt.Errorf("groups snapshot: %s is no proper sub-group of %s", jid, g.JID)
			}
		}
		if g.Parent != (len(g.Subs) > 0) || !g.LinkedParent.IsEmpty() && r.groups[g.LinkedParent] == nil {
			return fmt.Errorf("groups snapshot: community of %s is incomplete", g.JID)
		}
	}
	return nil
}
