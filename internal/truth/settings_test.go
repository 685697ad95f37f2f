package truth_test

import (
	"maps"
	"net/http"

	"muster/sandbox"
)

// changesOfSettings are every setting, one way and back, alone and together.
var changesOfSettings = func() (list []operation) {
	day := uint32(86400)
	for _, each := range []struct {
		field   string
		on, off any
		already sandbox.Settings // on
	}{
		{"membership_approval_mode", "on", "off", sandbox.Settings{ApprovalMode: mode("on")}},
		{"member_add_mode", "all_member_add", "admin_add", sandbox.Settings{MemberAddMode: mode("all_member_add")}},
		{"member_link_mode", "all_member_link", "admin_link", sandbox.Settings{MemberLinkMode: mode("all_member_link")}},
		{"announce", true, false, sandbox.Settings{Announce: yes()}},
		{"locked", true, false, sandbox.Settings{Locked: yes()}},
		{"disappearing_seconds", 86400, 0, sandbox.Settings{Ephemeral: &day}},
	} {
		initially := sandbox.Settings{MemberAddMode: mode("admin_add"), MemberLinkMode: mode("admin_link")}
		on := operation{name: each.field + " on", as: admin, settings: initially, tells: each.field, do: set(object{each.field: each.on})}
		off := operation{name: each.field + " off", as: owner, settings: each.already, tells: each.field, do: set(object{each.field: each.off})}
		again := on
		again.name, again.settings, again.tells = each.field+" as it is", each.already, ""
		list = append(list, on, off, again, strange(on), nowhere(on), suspended(on))
		if by := forbidden(on); each.field == "disappearing_seconds" {
			list = append(list, locked(by))
		} else {
			list = append(list, by)
		}
	}
	return append(list,
		operation{name: "all settings", as: owner,
			tells:    "membership_approval_mode member_add_mode member_link_mode announce locked disappearing_seconds",
			settings: sandbox.Settings{MemberAddMode: mode("all_member_add"), MemberLinkMode: mode("admin_link")},
			do: set(object{
				"membership_approval_mode": "on", "member_add_mode": "admin_add", "member_link_mode": "all_member_link",
				"announce": true, "locked": true, "disappearing_seconds": 604800,
			})},
		operation{name: "a timer that is none", as: owner, refused: 422, code: "invalid", do: set(object{"disappearing_seconds": 60})},
		operation{name: "a mode that is none", as: owner, refused: 422, code: "invalid", do: set(object{"member_add_mode": "nobody"})},
	)
}()

func set(body object) func(*scene) answer {
	return func(s *scene) answer { return s.here(http.MethodPut, "/settings", maps.Clone(body)) }
}
