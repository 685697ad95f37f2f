package session

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"go.mau.fi/util/dbutil"
	"go.mau.fi/whatsmeow/types"
)

// namesAtOnce bounds the people of one question to the database.
const namesAtOnce = 500

// Names returns what the session knows of the people's names: that of the
// account's address book, else what they call themselves. Who has none that is
// known is not in the map. It reads the stored contacts and asks nobody.
func (m *Manager) Names(ctx context.Context, id string, people []types.JID) (map[types.JID]string, error) {
	c, err := m.find(id)
	if err != nil {
		return nil, err
	}
	names := map[types.JID]string{}
	own := c.snapshot().JID
	if own == "" {
		return names, nil
	}
	for some := range slices.Chunk(people, namesAtOnce) {
		places, values := make([]string, len(some)), append(make([]any, 0, len(some)+1), own)
		for i, jid := range some {
			values = append(values, jid.ToNonAD().String())
			places[i] = fmt.Sprintf("$%d", i+2)
		}
		rows, err := m.options.DB.Query(ctx, `SELECT their_jid, COALESCE(NULLIF(full_name, ''), NULLIF(push_name, ''), NULLIF(business_name, ''), '')
			FROM whatsmeow_contacts WHERE our_jid = $1 AND their_jid IN (`+strings.Join(places, ", ")+`)`, values...)
		err = dbutil.NewRowIterWithError(rows, scanName, err).Iter(func(n named) (bool, error) {
			if n.name != "" {
				names[n.jid] = n.name
			}
			return true, nil
		})
		if err != nil {
			return nil, fmt.Errorf("look up the names of people: %w", err)
		}
	}
	return names, nil
}

type named struct {
	jid  types.JID
	name string
}

func scanName(row dbutil.Scannable) (n named, err error) {
	var jid string
	if err = row.Scan(&jid, &n.name); err == nil {
		n.jid, err = types.ParseJID(jid)
	}
	return n, err
}
