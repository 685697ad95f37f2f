package event

// Account is the WhatsApp account of a session.
type Account struct {
	JID         string `json:"jid,omitempty" doc:"The account's phone JID; absent while no phone is linked."`
	LID         string `json:"lid,omitempty" doc:"The account's LID, where it is known."`
	PhoneNumber string `json:"phone_number,omitempty" doc:"Digits only, the country code first."`
}

// Status is the data of session.status.
type Status struct {
	Account
	Name           string `json:"name,omitempty" doc:"The session's display name."`
	Status         string `json:"status" doc:"As in the session's own status." example:"connected"`
	PreviousStatus string `json:"previous_status,omitempty" doc:"The status before."`
	Reason         string `json:"reason,omitempty" doc:"A stable word that says why." example:"connection_lost"`
	Detail         string `json:"detail,omitempty" doc:"The reason as a sentence."`
}

// QR is the data of session.qr. It has a QR code or a code to type.
type QR struct {
	Status    string `json:"status" doc:"waiting_for_qr or waiting_for_pair_code."`
	QR        string `json:"qr,omitempty" doc:"The text of the QR code."`
	PairCode  string `json:"pair_code,omitempty" doc:"The code to type into the phone."`
	Attempt   int    `json:"attempt,omitempty" doc:"Which of the QR codes of this connection it is, from 1."`
	ExpiresAt int64  `json:"expires_at" doc:"UNIX seconds from when on it is of no use."`
}

// LoggedOut is the data of session.logged_out.
type LoggedOut struct {
	Account
	Reason string `json:"reason" doc:"A stable word that says why." example:"unlinked"`
	Detail string `json:"detail,omitempty" doc:"The reason as a sentence."`
}
