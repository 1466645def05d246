"""THE DOOR: every write to the directory is a plan that can be previewed, then committed.

    table       event × artefact, as data
    effects     what a change does outside the directory, and how far each of it has come
    model       Plan, Line, Spec and the tables change, change_line, idempotency
    notices     what a plan tells: warnings, and conflicts with how they are settled
    cutter      how the door cuts what it may not import
    titles      what changes are called, composed when shown
    asks        what a kind asks for: a model of fields, said once for every edge
    field_types how each sort of field is read
    leaves      the fields an edge shows
    answers     what was answered to them: checked, references resolved, all that is wrong at once
    kind        Kind, and the registry of all of them
    kinds/      one file per kind of change
    spec        a request (JSON of the API, form of the console, row of a feed) → Spec, checked
    promises    what waits for its day, whose an end date is, what a row would be without a change
    limits      what one person alone may not do: to wider rights, the last administrator
    thresholds  how many people and accounts one person alone may change within a day
    proposals   changes that wait for a second person: who may see them, why they lapse
    approval    propose, approve, decline, withdraw
    drafting    Ground and Draft: what planners stand on and what they fill
    personal    what is known of a person: name, birth, addresses
    posts       taking up a post: unit, place, term
    standing    suspension and its end
    newcomer    the fields of somebody new
    addresses   e-mail addresses that are somebody else's
    lines       how the lines of a plan become rows
    known       who of those to be taken in is known: returners, whoever is in service, namesakes
    returning   somebody who has left comes back as who she was
    joining     plan_join: one person or five hundred
    places      the places of posts, held so that no other plan takes them too
    granting    giving and ending roles, within the grantor's own reach
    roles       RoleCutter: administrators' roles that end with a post
    present     plans and proofs as plain data, the same for console, API and CLI
    structure   plan_units, plan_positions: the tree and the catalogue
    unit_facts  what the changes of units in time share: planned, written, taken back
    unit_names  names of a unit that follow one another
    waiting_moves  moves of people that wait, where a unit is moved before their day
    tree_day    the day on which the tree becomes another one, and what follows from it
    undo        plan_undo
    door        Door: plan() → Plan, commit() → Change, take_effect(): the one way in
    repeats     an Idempotency-Key leads to one change
    write       how lines become rows, audit entries and cuts
    proof       settle(), proof(): every effect with state, times and latency
    history     which changes somebody may look at
    rules       applications and entitlement rules: the door's small sister

``plan_<kind>`` only reads. ``Door.commit`` locks, plans again, refuses with PlanStale when the
fingerprint differs, and then does everything in one transaction.
"""
