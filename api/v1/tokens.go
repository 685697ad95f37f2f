package v1

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"muster/internal/auth"
)

// TokenView is a token as the API shows it; times are UNIX seconds, 0 for never.
// It is exported because huma does not look into embedded types that are not.
type TokenView struct {
	ID         string   `json:"id" doc:"Names the token; it is not the secret."`
	Name       string   `json:"name"`
	Admin      bool     `json:"admin" doc:"May do everything."`
	Sessions   []string `json:"sessions" doc:"What a token that is not admin is bound to."`
	CreatedAt  int64    `json:"created_at"`
	LastUsedAt int64    `json:"last_used_at" doc:"To the minute."`
	RevokedAt  int64    `json:"revoked_at"`
}

type createdToken struct {
	TokenView
	Token string `json:"token" doc:"The secret. It is shown here and never again."`
}

type tokenList struct {
	Tokens     []TokenView `json:"tokens" nullable:"false"`
	NextCursor string      `json:"next_cursor,omitempty" doc:"Where the next page begins; absent on the last one."`
}

type createTokenInput struct {
	Body struct {
		Name     string   `json:"name" minLength:"1" maxLength:"100" doc:"What it is for."`
		Admin    bool     `json:"admin,omitempty" doc:"May do everything."`
		Sessions []string `json:"sessions,omitempty" maxItems:"1000" doc:"The sessions that a token that is not admin is bound to."`
	}
}

type listTokensInput struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"100" doc:"The most tokens in one answer."`
	Cursor string `query:"cursor" maxLength:"100" doc:"next_cursor of the page before."`
}

type tokenInput struct {
	TokenID string `path:"token_id"`
}

// RegisterTokens adds the management of tokens, for admins only.
func RegisterTokens(api huma.API, tokens *auth.Tokens) {
	row := func(method, path, id, summary string, status int) route {
		return route{Method: method, Path: path, ID: id, Tag: "Tokens", Summary: summary, Status: status, Admin: true}
	}
	handle(api, row(http.MethodGet, "/tokens", "list-tokens", "List the tokens", 0),
		func(ctx context.Context, in *listTokensInput) (tokenList, error) {
			page, next, err := tokens.List(ctx, in.Cursor, in.Limit)
			if err != nil {
				return tokenList{}, err
			}
			list := tokenList{Tokens: make([]TokenView, len(page)), NextCursor: next}
			for i, token := range page {
				list.Tokens[i] = viewToken(token)
			}
			return list, nil
		})
	handle(api, row(http.MethodPost, "/tokens", "create-token", "Create a token", http.StatusCreated),
		func(ctx context.Context, in *createTokenInput) (createdToken, error) {
			token, secret, err := tokens.Create(ctx, auth.CreateRequest{
				Name: in.Body.Name, Admin: in.Body.Admin, Sessions: in.Body.Sessions,
			})
			return createdToken{TokenView: viewToken(token), Token: secret}, err
		})
	act(api, row(http.MethodDelete, "/tokens/{token_id}", "revoke-token", "Revoke a token", 0),
		func(ctx context.Context, in *tokenInput) error { return tokens.Revoke(ctx, in.TokenID) })
}

func viewToken(t auth.Token) TokenView {
	if t.Sessions == nil {
		t.Sessions = []string{}
	}
	return TokenView{
		ID: t.ID, Name: t.Name, Admin: t.Admin, Sessions: t.Sessions,
		CreatedAt: seconds(t.CreatedAt), LastUsedAt: seconds(t.LastUsedAt), RevokedAt: seconds(t.RevokedAt),
	}
}

// seconds is a time as this API writes it: UNIX seconds, 0 for the zero time.
func seconds(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}
