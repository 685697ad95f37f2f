package config

// Meta is about the API in Meta's words, and that of 360dialog, which passes it
// on.
type Meta struct {
	TextTimestamps bool `key:"text_timestamps" doc:"Write creation_timestamp as text, as Meta's guide shows it; Meta's OpenAPI file has a number."`
}

// Dialog360 configures what 360dialog's API leaves open.
type Dialog360 struct {
	AddParticipants bool `key:"add_participants" doc:"Let clients add people to groups with POST /groups/{id}/participants, which 360dialog itself does not offer."`
}
