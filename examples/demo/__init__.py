"""``make demo``: a whole province to try Dinhdanh on, and the story that proves it.

    run.py          START HERE. Set up what is missing, start everything, show one screen
    ground.py       where the demonstration stands: ports, folders, settings
    cast.py         whom one signs in as, and where they may be transferred
    province.py     the set-up, step by step, through the product's own functions; with
                    applications.py, clients.py, roles.py
    identities.py   VNeID, simulated: who has an account there, Dinhdanh as its relying party
    second_factors.py  an app for whoever administers, a slip for the newcomer
    credentials.py  var/demo/credentials.json
    processes.py    Dinhdanh, the applications, the simulator, and that nothing outlives them
    certificate.py  TLS=1: https://localhost with an authority of its own
    terminal.py     a progress bar, or plain lines
    standing.py     where the listed people stand today
    screen.py       what to open, whom to be, what to try
    guide.py        the page that walks through it, and shows what phones would show
    story/          ``make story``: one transfer from sign-in to proof, over public protocols only

Nothing here is part of the product: it is an operator's hands, made quick.
"""
