package messages_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"go.mau.fi/util/dbutil"
	"go.mau.fi/whatsmeow/types"

	"muster/internal/fault"
	"muster/messages"
)

func TestSearch(t *testing.T) {
	t.Parallel()
	everywhere(t, func(r *rig) {
		group := types.NewJID("120363000000000001", types.GroupServer)
		for id, words := range map[string]string{
			"id1": "Anak-anak memancing di danau Toba pagi ini",
			"id2": "Kami akan memancing besok, cuacanya bagus",
			"ar1": "مَرْحَبًا بِكُمْ فِي المُنْتَدَى",
			"ar2": "صباح الخير أيها الأصدقاء، كتــاب جديد",
			"zh1": "我们明天早上去湖边钓鱼，天气很好",
			"zh2": "明天的会议改到下午三点",
			"ja1": "東京タワーで会いましょう",
			"th1": "สวัสดีตอนเช้า",
			"mix": "Café Ⅷ: iPhone手机 Straße ПРИВЕТ",
		} {
			r.apply(spoken(id, group, phoneJID(bob), text(words)))
		}
		r.apply(spoken("dm", phoneJID(bob), phoneJID(bob), text("memancing berdua")))
		for query, want := range map[string]string{
			"memancing":        "dm id1 id2",
			"MEMANCING danau":  "id1",
			"anak":             "id1",
			"meman":            "dm id1 id2", // the last word goes on
			"meman danau":      "",           // others do not
			"danau meman":      "id1",
			"cuaca":            "id2",
			"مرحبا":            "ar1", // without vowel signs
			"مَرْحَبًا":        "ar1",
			"المنتدي":          "ar1",
			"كتاب":             "ar2", // without tatweel
			"الاصدقاء":         "ar2", // without hamza
			"钓鱼":               "zh1",
			"明天":               "zh1 zh2",
			"天明":               "", // the characters, but not side by side
			"明天 下午":            "zh2",
			"湖边钓鱼":             "zh1",
			"东京":               "",
			"東京":               "ja1",
			"เช้า":             "th1",
			"cafe":             "mix",
			"iphone":           "mix",
			"手机":               "mix",
			"iphone手机":         "mix",
			"привет":           "mix",
			`"memancing" OR *`: "",
			"memancing:* & '":  "dm id1 id2",
			"NOT memancing":    "",
		} {
			list, err := r.inbox.Search(r.t.Context(), messages.SearchRequest{SessionID: mine, Query: query})
			r.must(err)
			var found []string
			for _, m := range list.Messages {
				found = append(found, m.ID)
			}
			slices.Sort(found)
			if got := strings.Join(found, " "); got != want {
				r.t.Errorf("%s finds %q, want %q", query, got, want)
			}
		}
		list, err := r.inbox.Search(r.t.Context(), messages.SearchRequest{SessionID: mine, Query: "memancing", Chat: bob})
		r.must(err)
		if len(list.Messages) != 1 || list.Messages[0].ID != "dm" {
			r.t.Errorf("in one chat: %+v", list.Messages)
		}
		for _, bad := range []messages.SearchRequest{
			{Query: ""}, {Query: "  "}, {Query: "…!"}, {Query: strings.Repeat("x", 1001)}, {Query: "x", Chat: "nobody"},
			{Query: "x", Limit: -1}, {Query: "x", Limit: 1000}, {Query: "x", Cursor: "?"},
		} {
			bad.SessionID = mine
			if _, err := r.inbox.Search(r.t.Context(), bad); !fault.Is(err, fault.Invalid) || fault.From(err).Field == "" {
				r.t.Errorf("%+v: %v", bad, err)
			}
		}
	})
}

func TestPages(t *testing.T) {
	t.Parallel()
	everywhere(t, func(r *rig) {
		for i := range 25 {
			r.apply(spoken(fmt.Sprint("m", i), phoneJID(bob), phoneJID(bob), text(fmt.Sprint("fish number ", i))))
		}
		ids := func(list messages.MessageList, err error) string {
			r.must(err)
			var ids []string
			for _, m := range list.Messages {
				ids = append(ids, strings.TrimPrefix(m.ID, "m"))
			}
			return strings.Join(ids, " ")
		}
		read := func(req messages.ChatMessagesRequest) (messages.MessageList, error) {
			req.SessionID, req.Chat, req.Limit = mine, bob, 10
			return r.inbox.ChatMessages(r.t.Context(), req)
		}
		first, err := read(messages.ChatMessagesRequest{})
		if got := ids(first, err); got != "24 23 22 21 20 19 18 17 16 15" {
			r.t.Errorf("newest: %s", got)
		}
		second, err := read(messages.ChatMessagesRequest{Before: first.Older})
		if got := ids(second, err); got != "14 13 12 11 10 9 8 7 6 5" {
			r.t.Errorf("older: %s", got)
		}
		third, err := read(messages.ChatMessagesRequest{Before: second.Older})
		if got := ids(third, err); got != "4 3 2 1 0" || third.Older != "" {
			r.t.Errorf("oldest: %s %q", got, third.Older)
		}
		back, err := read(messages.ChatMessagesRequest{After: third.Newer})
		if got := ids(back, err); got != "14 13 12 11 10 9 8 7 6 5" {
			r.t.Errorf("newer: %s", got)
		}
		last, err := read(messages.ChatMessagesRequest{After: first.Newer})
		if got := ids(last, err); got != "" || last.Newer != first.Newer {
			r.t.Errorf("nothing newer: %s", got)
		}
		r.apply(spoken("m25", phoneJID(bob), phoneJID(bob), text("fish number 25")))
		last, err = read(messages.ChatMessagesRequest{After: last.Newer})
		if got := ids(last, err); got != "25" {
			r.t.Errorf("newer later: %s", got)
		}
		found, err := r.inbox.Search(r.t.Context(), messages.SearchRequest{SessionID: mine, Query: "fish", Limit: 20})
		if got := ids(found, err); !strings.HasPrefix(got, "25 24 ") || found.Older == "" {
			r.t.Errorf("search: %s", got)
		}
		found, err = r.inbox.Search(r.t.Context(), messages.SearchRequest{SessionID: mine, Query: "fish", Limit: 20, Cursor: found.Older})
		if got := ids(found, err); got != "5 4 3 2 1 0" || found.Older != "" {
			r.t.Errorf("search on: %s", got)
		}
	})
}

func TestChatList(t *testing.T) {
	t.Parallel()
	everywhere(t, func(r *rig) {
		for i, name := range []string{"Budi Santoso", "Ñandú", "王小明", "محمد"} {
			evt := spoken(fmt.Sprint(i), phoneJID(fmt.Sprint("62899900010", i)), phoneJID(fmt.Sprint("62899900010", i)), text("hi"))
			evt.Info.PushName = name
			r.apply(evt)
		}
		r.apply(spoken("g", types.NewJID("120363000000000001", types.GroupServer), phoneJID(bob), text("hi")))
		r.must(r.inbox.MarkRead(r.t.Context(), mine, phoneJID("628999000100")))
		list := func(req messages.ChatsRequest) string {
			r.t.Helper()
			req.SessionID = mine
			found, err := r.inbox.Chats(r.t.Context(), req)
			r.must(err)
			var names []string
			for _, c := range found.Chats {
				names = append(names, c.Name)
			}
			return strings.Join(names, "/")
		}
		for want, req := range map[string]messages.ChatsRequest{
			"/محمد/王小明/Ñandú/Budi Santoso": {},
			"":               {Kind: "group"},
			"محمد/王小明/Ñandú": {Kind: "person", Unread: true},
			"Budi Santoso":   {Query: "budi san"},
			"Ñandú":          {Query: "NANDU"},
			"王小明":            {Query: "小明"},
			"محمد":           {Query: "مُحَمَّد"},
			"محمد/王小明/Ñandú/Budi Santoso": {Query: "+62 8999"},
			"/محمد": {Limit: 2},
		} {
			if got := list(req); got != want {
				r.t.Errorf("%+v: %s", req, got)
			}
		}
		page, err := r.inbox.Chats(r.t.Context(), messages.ChatsRequest{SessionID: mine, Limit: 2})
		r.must(err)
		if got := list(messages.ChatsRequest{Cursor: page.NextCursor}); got != "王小明/Ñandú/Budi Santoso" {
			r.t.Errorf("second page: %s", got)
		}
	})
}

func TestSearchIndexIsMadeAnew(t *testing.T) {
	t.Parallel()
	everywhere(t, func(r *rig) {
		if r.db.Dialect != dbutil.SQLite {
			return // there the words are a column of the messages
		}
		r.apply(spoken("1", phoneJID(bob), phoneJID(bob), text("ikan besar")))
		// As if a program with another module had worked on the database.
		for _, statement := range []string{
			`UPDATE search_index SET module = 'other'`,
			`DROP TRIGGER messages_unindex`,
			`CREATE TRIGGER messages_unindex AFTER DELETE ON messages BEGIN SELECT 1; END`,
		} {
			_, err := r.db.Exec(r.t.Context(), statement)
			r.must(err)
		}
		r.apply(spoken("2", phoneJID(bob), phoneJID(bob), text("ikan kecil")))
		again, err := messages.OpenInbox(r.t.Context(), messages.InboxOptions{DB: r.db, Events: r.log, Retention: messages.Retention{Age: -1, Count: -1}})
		r.must(err)
		again.Attach(r.manager)
		list, err := again.Search(r.t.Context(), messages.SearchRequest{SessionID: mine, Query: "ikan"})
		r.must(err)
		if len(list.Messages) != 2 {
			r.t.Errorf("%d messages were indexed", len(list.Messages))
		}
	})
}
