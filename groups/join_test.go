package groups

import "testing"

// Links are taken as they are shared, and what is no link is refused before
// WhatsApp is asked.
func TestInviteCodes(t *testing.T) {
	const code = "AbCdEfGhIjKlMnOpQrStUv"
	for link, want := range map[string]string{
		"https://chat.whatsapp.com/" + code:                code,
		"http://chat.whatsapp.com/" + code:                 code,
		"chat.whatsapp.com/" + code:                        code,
		"HTTPS://CHAT.WhatsApp.com/" + code + "/":          code,
		" https://chat.whatsapp.com/" + code + "\n":        code,
		"https://chat.whatsapp.com/" + code + "?mode=ac_t": code,
		"https://chat.whatsapp.com/invite/" + code:         code,
		"whatsapp://chat?code=" + code:                     code,
		code:                                               code,
		"":                                                 "",
		"https://chat.whatsapp.com/":                       "",
		"https://chat.whatsapp.com":                        "",
		"https://example.com/" + code:                      "",
		"https://chat.whatsapp.com.example.com/" + code:    "",
		"https://chat.whatsapp.com/" + code + "/more":      "",
		"ftp://chat.whatsapp.com/" + code:                  "",
		"whatsapp://send?phone=62812":                      "",
		"not a code":                                       "",
		"Ünterwegs":                                        "",
		"%zz/":                                             "",
		string(make([]byte, 70)):                           "",
	} {
		got, err := LinkRequest{Link: link}.code()
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v; want %q", link, got, err, want)
		}
		if err != nil && (codeOf(err) != "invite_invalid" || LinkRequest{Link: link}.Validate() == nil) {
			t.Errorf("%q: %v", link, err)
		}
	}
}
