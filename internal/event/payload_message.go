package event

// MessageKey names a message.
type MessageKey struct {
	MessageID string `json:"message_id" doc:"WhatsApp's id of the message."`
	Chat      string `json:"chat" doc:"The chat it is in: a group's JID, a person's phone JID, or a LID whose phone is not known."`
	FromMe    bool   `json:"from_me" doc:"The session's account has sent it."`
	Sender    Person `json:"sender" doc:"Who has sent it."`
}

// Message is the data of message.received and message.sent.
type Message struct {
	MessageKey
	ChatName  string `json:"chat_name,omitempty" doc:"The group's subject or the person's name, where it is known."`
	Timestamp int64  `json:"timestamp" doc:"When it was sent, in UNIX seconds."`
	Source    string `json:"source,omitempty" enum:"api,device" doc:"Of a sent message: api for this server, device for another device of the account."`
	Repaired  bool   `json:"repaired,omitempty" doc:"It could not be decrypted at first, was told of as undecryptable, and has now been sent again."`
	MessageContent
}

// MessageContent is what a message says, in events and in the inbox.
type MessageContent struct {
	Kind       string           `json:"kind" doc:"text, image, video, audio, document, sticker, location, contact, poll, group_invite, album, unsupported, or undecryptable while it could not be decrypted." example:"text"`
	Text       string           `json:"text,omitempty" doc:"The text or the caption."`
	Mentions   []Person         `json:"mentions,omitempty" doc:"Who is mentioned in the text."`
	MentionAll bool             `json:"mention_all,omitempty" doc:"It calls everyone in the group."`
	ReplyTo    *MessageReply    `json:"reply_to,omitempty" doc:"The message that it answers."`
	Link       *MessageLink     `json:"link,omitempty" doc:"The preview of a link in the text, as its sender made it."`
	Media      *MessageMedia    `json:"media,omitempty" doc:"The file."`
	Location   *MessageLocation `json:"location,omitempty" doc:"The place."`
	Contacts   []MessageContact `json:"contacts,omitempty" doc:"The contact cards."`
	Poll       *MessagePoll     `json:"poll,omitempty" doc:"The question."`
	Invite     *MessageInvite   `json:"group_invite,omitempty" doc:"The invitation to a group."`
	Album      *MessageAlbum    `json:"album,omitempty" doc:"How many files follow, as messages of their own."`
	ViewOnce   bool             `json:"view_once,omitempty" doc:"It was to be seen once: nothing of it is kept or shown here."`
	Forwarded  int              `json:"forwarded,omitempty" doc:"How often it was forwarded, at least; 127 for many times."`
	Expiration int64            `json:"expiration_seconds,omitempty" doc:"It disappears after so long."`
	// Unsupported is WhatsApp's name of what there are no words for here.
	Unsupported string `json:"unsupported,omitempty" doc:"Of a message of kind unsupported: WhatsApp's name for what it is." example:"order_message"`
}

// MessageReply is a message that another one answers.
type MessageReply struct {
	MessageID string  `json:"message_id" doc:"The id of the message that is answered."`
	Sender    *Person `json:"sender,omitempty" doc:"Who has sent that, where the message says it."`
	Chat      string  `json:"chat,omitempty" doc:"The other chat that it is in, where it is in another one."`
	Kind      string  `json:"kind,omitempty" doc:"Its kind."`
	Text      string  `json:"text,omitempty" doc:"How it begins, as the sender of the answer says."`
}

// MessageLink is the preview of a link.
type MessageLink struct {
	URL         string `json:"url,omitempty" doc:"The address."`
	Title       string `json:"title,omitempty" doc:"The page's title."`
	Description string `json:"description,omitempty" doc:"The page's description."`
}

// MessageMedia describes the file of a message.
type MessageMedia struct {
	Mimetype string `json:"mimetype,omitempty" doc:"What the sender says it is."`
	Size     int64  `json:"size,omitempty" doc:"In bytes."`
	SHA256   string `json:"sha256,omitempty" doc:"Of the file, hexadecimal."`
	Width    int    `json:"width,omitempty" doc:"In pixels."`
	Height   int    `json:"height,omitempty" doc:"In pixels."`
	Seconds  int    `json:"seconds,omitempty" doc:"How long it plays."`
	Pages    int    `json:"pages,omitempty" doc:"Of a document."`
	Filename string `json:"filename,omitempty" doc:"A document's name."`
	PTT      bool   `json:"ptt,omitempty" doc:"A voice note."`
	Animated bool   `json:"animated,omitempty" doc:"A sticker that moves."`
	GIF      bool   `json:"gif,omitempty" doc:"A video that plays as a GIF does."`
	Round    bool   `json:"round,omitempty" doc:"A video note."`
}

// MessageLocation is a place.
type MessageLocation struct {
	Latitude  float64 `json:"latitude" doc:"In degrees."`
	Longitude float64 `json:"longitude" doc:"In degrees."`
	Name      string  `json:"name,omitempty" doc:"What the place is called."`
	Address   string  `json:"address,omitempty" doc:"Its address."`
	URL       string  `json:"url,omitempty" doc:"A page about it."`
	Accuracy  int     `json:"accuracy,omitempty" doc:"In metres."`
	Live      bool    `json:"live,omitempty" doc:"A live location: where its sender is now."`
}

// MessageContact is a contact card.
type MessageContact struct {
	Name   string                `json:"name,omitempty" doc:"The name on the card."`
	Phones []MessageContactPhone `json:"phones,omitempty" doc:"The numbers on the card."`
	VCard  string                `json:"vcard,omitempty" doc:"The card itself."`
}

// MessageContactPhone is a number on a card.
type MessageContactPhone struct {
	Number   string `json:"number" doc:"As it is written on the card."`
	WhatsApp string `json:"whatsapp,omitempty" doc:"Its WhatsApp account, in digits."`
}

// MessagePoll is a question.
type MessagePoll struct {
	Name            string   `json:"name" doc:"The question."`
	Options         []string `json:"options" doc:"The answers to choose from."`
	SelectableCount int      `json:"selectable_count" doc:"How many one may choose; 0 for any number."`
}

// MessageInvite is an invitation to a group.
type MessageInvite struct {
	GroupJID   string `json:"group_jid" doc:"The group."`
	Name       string `json:"name,omitempty" doc:"Its subject."`
	Code       string `json:"code" doc:"What the invitation is accepted with."`
	Expiration int64  `json:"expiration,omitempty" doc:"UNIX seconds until when it is good."`
}

// MessageAlbum announces files that belong together.
type MessageAlbum struct {
	Images int `json:"images,omitempty" doc:"How many images follow."`
	Videos int `json:"videos,omitempty" doc:"How many videos follow."`
}

// Failed is the data of message.failed.
type Failed struct {
	MessageKey
	ErrorCode string `json:"error_code" doc:"Why, as the API's errors name it." example:"outcome_unknown"`
	Error     string `json:"error" doc:"Why, in a sentence."`
	Timestamp int64  `json:"timestamp" doc:"When it was given up, in UNIX seconds."`
}

// Receipt is the data of message.receipt.
type Receipt struct {
	Chat       string   `json:"chat" doc:"The chat that the messages are in."`
	MessageIDs []string `json:"message_ids" doc:"The messages that it is about, all of them the account's own."`
	Status     string   `json:"status" enum:"delivered,read,played" doc:"What has become of them."`
	Person     Person   `json:"participant" doc:"For whom."`
	Timestamp  int64    `json:"timestamp" doc:"When, in UNIX seconds."`
}

// Edited is the data of message.edited.
type Edited struct {
	MessageKey
	Text         string `json:"text" doc:"The new text or caption."`
	PreviousText string `json:"previous_text,omitempty" doc:"The text before, where it is kept."`
	Timestamp    int64  `json:"timestamp" doc:"When it was edited, in UNIX seconds."`
}

// Revoked is the data of message.revoked.
type Revoked struct {
	MessageKey
	Actor     Person `json:"actor" doc:"Who has deleted it: the sender, or an admin of the group."`
	Timestamp int64  `json:"timestamp" doc:"When it was deleted, in UNIX seconds."`
}

// Reaction is the data of message.reaction.
type Reaction struct {
	MessageKey
	Actor     Person `json:"actor" doc:"Who has reacted."`
	Emoji     string `json:"emoji" doc:"Empty when the reaction was taken back."`
	Timestamp int64  `json:"timestamp" doc:"When, in UNIX seconds."`
}

// PollVote is the data of message.poll_vote.
type PollVote struct {
	MessageKey
	Voter     Person   `json:"voter" doc:"Who has voted."`
	Options   []string `json:"options" doc:"What they have chosen; empty when they have taken their vote back."`
	Timestamp int64    `json:"timestamp" doc:"When, in UNIX seconds."`
}
