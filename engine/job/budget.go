package job

// BudgetState is a budget at a glance.
type BudgetState struct {
	File     string  `json:"file"`
	About    string  `json:"about,omitempty"`
	Limit    string  `json:"limit"`
	Releases int     `json:"releases"`
	Rho      string  `json:"spent_rho"`
	Epsilon  string  `json:"spent_epsilon,omitempty"` // where all releases were pure
	Used     string  `json:"used"`                    // in the terms of the limit
	Share    float64 `json:"share"`                   // of the limit that is spent, 0 to 1
	// At δ, by the optimal conversion and by ρ + 2√(ρ·ln(1/δ)).
	Delta         float64 `json:"delta"`
	EpsilonAt     float64 `json:"epsilon_at_delta"`
	EpsilonClosed float64 `json:"epsilon_closed_form"`
}
