package event

// The operations that a request can be told to have finished.
const (
	OperationCreateGroup        = "create_group"
	OperationUpdateGroup        = "update_group"
	OperationDeleteGroup        = "delete_group"
	OperationAddParticipants    = "add_participants"
	OperationRemoveParticipants = "remove_participants"
)

// Outcome is the data of request.finished: what has come of a request that was
// answered before that was known. What was not asked for is absent.
type Outcome struct {
	API       string `json:"api" doc:"Through which API it was asked." example:"meta"`
	Operation string `json:"operation" enum:"create_group,update_group,delete_group,add_participants,remove_participants" doc:"What was asked for."`
	GroupJID  string `json:"group_jid,omitempty" doc:"The group; absent where none was made."`
	// Error is set where the request as a whole, or the rest of it, has failed.
	Error *OutcomeError `json:"error,omitempty" doc:"Why it was not done, or not all of it."`

	Subject     *OutcomeText  `json:"subject,omitempty" doc:"The name that was asked for."`
	Description *OutcomeText  `json:"description,omitempty" doc:"The description that was asked for."`
	Photo       *OutcomePhoto `json:"photo,omitempty" doc:"The picture that was asked for."`

	InviteLink         string `json:"invite_link,omitempty" doc:"Of a new group."`
	MembershipApproval string `json:"membership_approval_mode,omitempty" enum:"on,off" doc:"Of a new group: whether an admin has to let people in."`

	Participants []OutcomePerson `json:"participants,omitempty" doc:"What has become of each person."`
}

// OutcomeError says why something was not done.
type OutcomeError struct {
	Code    string `json:"code" doc:"A stable word, as in the answers of the session-style API." example:"not_member"`
	Message string `json:"message" doc:"The reason as a sentence."`
}

// OutcomeText is a text that was to be set.
type OutcomeText struct {
	Text  string        `json:"text" doc:"The text."`
	Error *OutcomeError `json:"error,omitempty" doc:"Why it was not set."`
}

// OutcomePhoto is a picture that was to be set.
type OutcomePhoto struct {
	Mimetype string        `json:"mimetype" doc:"What was uploaded."`
	SHA256   string        `json:"sha256" doc:"Of the upload, hexadecimal."`
	Error    *OutcomeError `json:"error,omitempty" doc:"Why it was not set."`
}

// OutcomePerson is what has become of one person.
type OutcomePerson struct {
	Input string `json:"input" doc:"The person as the request spelled it."`
	Person
	Error *OutcomeError `json:"error,omitempty" doc:"Why it was not done."`
}
