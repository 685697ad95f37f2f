package v1

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gofiber/fiber/v2"

	"muster/internal/auth"
	"muster/session"
)

const tagSessions = "Sessions"

// SessionView is a session as the API shows it. What is not known is null.
type SessionView struct {
	ID              string  `json:"id"`
	Name            string  `json:"name"`
	PhoneNumber     *string `json:"phone_number" doc:"The linked account's number, digits only. It stays after a logout."`
	JID             *string `json:"jid" doc:"The linked account."`
	LID             *string `json:"lid" doc:"The linked account's LID."`
	DeviceJID       *string `json:"device_jid" doc:"The linked account with this device's number."`
	PushName        *string `json:"push_name"`
	Status          string  `json:"status" enum:"disconnected,connecting,waiting_for_qr,waiting_for_pair_code,passkey_required,connected,degraded,logged_out,banned"`
	Reason          *string `json:"reason" doc:"Why the session is in this status, for programs."`
	ReasonText      *string `json:"reason_text" doc:"The reason, for people."`
	Proxy           *string `json:"proxy" doc:"Without its password."`
	CreatedAt       int64   `json:"created_at"`
	UpdatedAt       int64   `json:"updated_at"`
	LastConnectedAt *int64  `json:"last_connected_at"`
	IsLoggedIn      bool    `json:"is_logged_in" doc:"Whether a phone is linked, connected or not."`
}

// sessionReply has the fields at the top and once more under "session": there
// are clients that read either.
type sessionReply struct {
	SessionView
	Session SessionView `json:"session"`
}

type sessionList struct {
	Sessions   []SessionView `json:"sessions"`
	Total      int           `json:"total" doc:"How many there are in all, on this page and others."`
	NextCursor *string       `json:"next_cursor" doc:"Where the next page begins; null on the last."`
}

type SessionInput struct {
	SessionID string `path:"session_id"`
}

type listSessionsInput struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"100"`
	Cursor string `query:"cursor" maxLength:"64" doc:"The next_cursor of the page before."`
}

type createSessionInput struct {
	Body *struct { // a pointer: it may be absent
		ID    string `json:"id,omitempty" doc:"1 to 64 letters, digits, underscores or hyphens; made up when absent."`
		Name  string `json:"name,omitempty" doc:"The id when absent."`
		Proxy string `json:"proxy,omitempty" doc:"An http, https or socks5 URL."`
	}
}

// deleted is the answer to deleting a session.
type deleted struct {
	Success   bool `json:"success" example:"true"`
	LoggedOut bool `json:"logged_out" doc:"WhatsApp knows: the phone lists the device no more. When false, because the session was not connected, it has to be removed on the phone."`
}

type setProxyInput struct {
	SessionID string `path:"session_id"`
	Body      struct {
		Proxy *string `json:"proxy" nullable:"true" doc:"An http, https or socks5 URL; null for none."`
	}
}

type logoutInput struct {
	SessionID string `path:"session_id"`
	Force     bool   `query:"force" doc:"Delete the keys here also when WhatsApp cannot be told."`
}

type stateView struct {
	At         int64   `json:"at"`
	Status     string  `json:"status"`
	Reason     *string `json:"reason"`
	ReasonText *string `json:"reason_text"`
}

type statusReply struct {
	ID              string      `json:"id"`
	Status          string      `json:"status"`
	Reason          *string     `json:"reason"`
	ReasonText      *string     `json:"reason_text"`
	IsLoggedIn      bool        `json:"is_logged_in"`
	LastConnectedAt *int64      `json:"last_connected_at"`
	History         []stateView `json:"history" doc:"The last 100 changes, the newest first."`
}

// RegisterSessions adds the management and the linking of sessions.
func RegisterSessions(api huma.API, app fiber.Router, m *session.Manager, tokens *auth.Tokens) {
	row := func(method, path, id, summary string) route {
		return route{Method: method, Path: "/sessions" + path, ID: id, Tag: tagSessions, Summary: summary}
	}
	handle(api, row(http.MethodGet, "", "list-sessions", "List the sessions"), listSessions(m))
	create := row(http.MethodPost, "", "create-session", "Create a session")
	create.Status, create.Admin = http.StatusCreated, true
	create.Description = "The session is not linked yet: ask for its QR code or for a pairing code."
	handle(api, create, func(ctx context.Context, in *createSessionInput) (sessionReply, error) {
		var request session.CreateRequest
		if in.Body != nil {
			request = session.CreateRequest{ID: in.Body.ID, Name: in.Body.Name, Proxy: in.Body.Proxy}
		}
		return replySession(m.Create(ctx, request))
	})
	handle(api, row(http.MethodGet, "/{session_id}", "get-session", "Get a session"),
		func(ctx context.Context, in *SessionInput) (sessionReply, error) {
			return replySession(m.Get(ctx, in.SessionID))
		})
	remove := row(http.MethodDelete, "/{session_id}", "delete-session", "Log a session out and delete it")
	remove.Description = "Tokens that were bound to the session are bound to it no longer."
	handle(api, remove, func(ctx context.Context, in *SessionInput) (deleted, error) {
		told, err := m.Delete(ctx, in.SessionID)
		if err == nil {
			err = tokens.Unbind(ctx, in.SessionID)
		}
		return deleted{Success: err == nil, LoggedOut: told}, err
	})
	handle(api, row(http.MethodGet, "/{session_id}/status", "get-session-status", "Get a session's status and its history"), sessionStatus(m))
	registerConnection(api, row, m)
	registerLinking(api, row, m)
	registerQR(api, app, m)
}

func registerConnection(api huma.API, row func(method, path, id, summary string) route, m *session.Manager) {
	post := func(action, summary string, op func(context.Context, string) (session.Session, error)) {
		handle(api, row(http.MethodPost, "/{session_id}/"+action, action+"-session", summary),
			func(ctx context.Context, in *SessionInput) (sessionReply, error) {
				return replySession(op(ctx, in.SessionID))
			})
	}
	post("connect", "Connect a session; answers before it is connected", m.Connect)
	post("disconnect", "Disconnect a session and keep it linked", m.Disconnect)
	post("reconnect", "End the connection and make a new one", m.Reconnect)
	handle(api, row(http.MethodPost, "/{session_id}/logout", "logout-session", "Unlink a session from its phone and keep it for another link"),
		func(ctx context.Context, in *logoutInput) (sessionReply, error) {
			return replySession(m.Logout(ctx, in.SessionID, in.Force))
		})
	proxy := row(http.MethodPut, "/{session_id}/proxy", "set-session-proxy", "Set or remove a session's proxy")
	// A proxy is an address in the server's own network that it connects to.
	proxy.Admin = true
	proxy.Description = "Needs an admin token, as creating a session does: the server connects to whatever is named here."
	handle(api, proxy,
		func(ctx context.Context, in *setProxyInput) (sessionReply, error) {
			proxy := ""
			if in.Body.Proxy != nil {
				proxy = *in.Body.Proxy
			}
			return replySession(m.SetProxy(ctx, in.SessionID, proxy))
		})
}

func listSessions(m *session.Manager) func(context.Context, *listSessionsInput) (sessionList, error) {
	return func(ctx context.Context, in *listSessionsInput) (sessionList, error) {
		all, err := m.List(ctx)
		if err != nil {
			return sessionList{}, err
		}
		caller := auth.From(ctx)
		list := sessionList{Sessions: []SessionView{}}
		for _, s := range all {
			if !caller.May(s.ID) {
				continue
			}
			list.Total++
			switch {
			case s.ID <= in.Cursor:
			case len(list.Sessions) < in.Limit:
				list.Sessions = append(list.Sessions, viewSession(s))
			case list.NextCursor == nil:
				list.NextCursor = &list.Sessions[len(list.Sessions)-1].ID
			}
		}
		return list, nil
	}
}

func sessionStatus(m *session.Manager) func(context.Context, *SessionInput) (statusReply, error) {
	return func(ctx context.Context, in *SessionInput) (statusReply, error) {
		s, err := m.Get(ctx, in.SessionID)
		if err != nil {
			return statusReply{}, err
		}
		history, err := m.History(ctx, in.SessionID)
		if err != nil {
			return statusReply{}, err
		}
		reply := statusReply{
			ID: s.ID, Status: string(s.Status), Reason: known(s.Reason), ReasonText: known(s.Detail),
			IsLoggedIn: s.LoggedIn, LastConnectedAt: knownTime(s.LastConnectedAt), History: make([]stateView, len(history)),
		}
		for i, change := range history {
			reply.History[i] = stateView{At: seconds(change.At), Status: string(change.Status), Reason: known(change.Reason), ReasonText: known(change.Detail)}
		}
		return reply, nil
	}
}

func replySession(s session.Session, err error) (sessionReply, error) {
	if err != nil {
		return sessionReply{}, err
	}
	view := viewSession(s)
	return sessionReply{SessionView: view, Session: view}, nil
}

func viewSession(s session.Session) SessionView {
	return SessionView{
		ID: s.ID, Name: s.Name, PhoneNumber: known(s.PhoneNumber),
		JID: known(s.AccountJID()), LID: known(s.AccountLID()), DeviceJID: known(s.JID),
		PushName: known(s.PushName), Status: string(s.Status), Reason: known(s.Reason), ReasonText: known(s.Detail),
		Proxy: known(s.Proxy), CreatedAt: seconds(s.CreatedAt), UpdatedAt: seconds(s.UpdatedAt),
		LastConnectedAt: knownTime(s.LastConnectedAt), IsLoggedIn: s.LoggedIn,
	}
}

// known is nil, and so null, for what is not known.
func known(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

func knownTime(t time.Time) *int64 {
	if t.IsZero() {
		return nil
	}
	s := t.Unix()
	return &s
}
