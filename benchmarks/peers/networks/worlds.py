# ruff: noqa: B007, B905, C901, E401, E501, E731, I001, SIM905
# As the peers' figures were measured on it, line for line: a seed gives the same world. Only `partners` was added.
"""Seeded procurement / beneficial-ownership world with planted truth.
Tables (parquet): companies, people, attrs(entity,kind,value  - noisy spelling), attrs_clean, ownership(owner,owned,pct),
tenders(tender,buyer,category,period,reserve), bids(tender,company,amount,won), flags(company,flag), truth(company,ring,role,kind).

Planted:
 ring   - 4-8 companies of one colluding ring; linked by a shared phone / address / director / e-mail (each member joined to the ring
          by 2 of 4 kinds, noisy spelling on 35 %), bid together (cover bidding, rotation: low spread of losing bids, winner rotates).
 shell  - a ring whose members sit at the end of ownership chains of 2-4 shell companies to one person (sole link is the chain).
Only ~35 % of ring members carry a red flag; background flag rate 3 %; so the unflagged ring members must be found through links.
Hard negatives:
 formation agents - an address + phone shared by 1 % to 4 % of all companies each (so thousands at 10^5),
 call-centre e-mail domains, nominee directors with 30-200 seats, honest holding groups (8-20 firms that share an address and an owner, low flags),
 honest frequent co-bidders in narrow categories, street-level near duplicates of an address (house 12 / 21),
 flagged clusters by chance: firms in a 'flagged trade' with 12 % flag rate that share an agent address."""

import random
import numpy as np, pandas as pd

ST = "oak elm mill high station church park queen king victoria albert green bridge market north south west east canal harbour forest meadow castle abbey priory garden school chapel spring river".split()
TY = [("street", "st"), ("road", "rd"), ("avenue", "ave"), ("lane", "ln"), ("square", "sq")]
CI = "alton borden corby denton epping fulham gosport hexham ilkley jarrow kendal ludlow malton neath otley".split()
FN = "anna boris carla david elena franz greta hugo ines jonas karin lukas maria nils olga pavel rosa stefan tanja ulla viktor wanda yusuf zoe amir bela chloe dario emil fatima".split()
SYL = "ba be bo da de di fa fe ga go ha he ja ka ke ko la le li ma me mo na ne no pa pe ra re ri sa se so ta te to va ve wa za".split()


def make(n, seed=0, plant=True, hard=False):
    R = random.Random(seed)
    G = np.random.default_rng(seed)
    word = lambda k: "".join(R.choice(SYL) for _ in range(k))
    surn = [word(3) for _ in range(max(300, n // 8))]

    def addr():
        t = R.choice(TY)[0]
        return f"{R.randint(1, 240)} {R.choice(ST)} {word(2)} {t}, {R.choice(CI)} {R.randint(10000, 99999)}"

    phone = lambda: f"+44 {R.randint(1000, 9999)} {R.randint(100000, 999999)}"
    person = lambda: f"{R.choice(FN)} {R.choice(surn)} {R.randint(1940, 1999)}"
    email = lambda: f"{word(3)}{R.randint(1, 999)}@{word(3)}.com"

    def noisy(v, kind):
        r = R.random()
        if kind == "address":
            for a, b in TY:
                if r < 0.5 and a in v:
                    return v.replace(a, b)
        if kind == "phone":
            return v.replace(" ", "") if r < 0.6 else v.replace("+44 ", "0")
        i = R.randrange(1, len(v) - 1)
        return v[:i] + v[i + 1 :] if r < 0.75 else v[:i] + v[i + 1] + v[i] + v[i + 2 :]

    comp = [f"C{i}" for i in range(n)]
    A, clean, own, flags, truth = [], [], [], set(), {}

    def put(c, k, v, p=0.10):
        clean.append((c, k, v))
        A.append((c, k, noisy(v, k) if R.random() < p else v))

    perm = list(range(n))
    R.shuffle(perm)
    pos = 0

    def take(k):
        nonlocal pos
        o = [f"C{i}" for i in perm[pos : pos + k]]
        pos += k
        return o

    people = set()
    rings = []
    for r in range(max(6, int(n * 0.006)) if plant else 0):
        m = take(R.randint(4, 8))
        kind = "shell" if R.random() < 0.35 else "ring"
        rings.append((r, m, kind))
        sh = {"address": addr(), "phone": phone(), "director": person(), "email": email()}
        if kind == "ring":
            for c in m:
                for k in R.sample(list(sh), 2):
                    put(c, k, sh[k], 0.35)
        else:
            ubo = person()
            people.add(ubo)
            for c in m:
                prev = c
                for _ in range(R.randint(2, 4)):
                    if pos + 1 >= n:
                        break
                    s = take(1)[0]
                    truth[s] = (r, "shell", kind)
                    own.append((s, prev, R.choice([51.0, 60.0, 75.0, 100.0])))
                    prev = s
                own.append((ubo, prev, R.choice([60.0, 100.0])))
            for c in m:
                if R.random() < 0.3:
                    put(c, "phone", sh["phone"], 0.35)
        for c in m:
            truth[c] = (r, "member", kind)
            if R.random() < 0.35:
                flags.add((c, R.choice(["price_outlier", "single_bid", "late_change"])))
    # honest groups
    groups = []
    for g in range(max(4, n // 400)):
        m = take(R.randint(8, 20))
        a, o = addr(), f"G{g}"
        for c in m:
            put(c, "address", a)
            own.append((o, c, 100.0))
        groups.append(m)
    # formation agents, nominees, mail domains
    agents = [(addr(), phone()) for _ in range(8)]
    nominees = [person() for _ in range(max(3, n // 1500))]
    aw = [0.04, 0.03, 0.02, 0.02, 0.015, 0.01, 0.01, 0.01]
    trade = set(R.sample(comp, n // 12))
    have = {}
    for c, k, _ in A:
        have.setdefault(c, set()).add(k)
    shared_addr = [addr() for _ in range(n // 12)]  # ordinary office blocks, 2-4 firms each
    for c in comp:
        h = have.get(c, set())
        r = R.random()
        ag = None
        s = 0
        for i, w in enumerate(aw):
            s += w
            if r < s:
                ag = i
                break
        if "address" not in h:
            put(
                c,
                "address",
                agents[ag][0] if ag is not None else (R.choice(shared_addr) if R.random() < 0.25 else addr()),
            )
        if "phone" not in h:
            put(c, "phone", agents[ag][1] if ag is not None and R.random() < 0.6 else phone())
        if "email" not in h:
            put(c, "email", email())
        for _ in range(R.choice([1, 1, 2, 3])):
            p = R.choice(nominees) if R.random() < 0.04 else person()
            put(c, "director", p, 0.06)
            people.add(p)
        if R.random() < 0.7:
            p = person()
            own.append((p, c, float(R.choice([25, 40, 51, 75, 100]))))
            people.add(p)
        if R.random() < (0.12 if c in trade and ag is not None else 0.03):
            flags.add((c, R.choice(["price_outlier", "single_bid", "late_change", "tax_list"])))
    # tenders
    T, B = [], []
    ncat = max(10, n // 60)
    cat = {c: R.randrange(ncat) for c in comp}
    bycat = {}
    for c in comp:
        bycat.setdefault(cat[c], []).append(c)
    t = 0
    for _ in range(int(n * 0.45)):
        k = R.randrange(ncat)
        pool = bycat.get(k, [])
        if len(pool) < 3:
            continue
        res = float(np.exp(G.normal(11, 1)))
        b = R.sample(pool, min(len(pool), R.randint(2, 6)))
        am = res * G.normal(0.92, 0.09, len(b))
        w = int(am.argmin())
        T.append((f"T{t}", f"B{R.randrange(max(5, n // 80))}", k, R.randrange(12), res))
        B += [(f"T{t}", c, round(float(x), 2), int(i == w)) for i, (c, x) in enumerate(zip(b, am))]
        t += 1
    partners = []
    if hard:  # honest frequent partners: groups of 3-4 firms of one category that meet in 4-7 tenders with ordinary spread
        for _ in range(max(4, n // 150)):
            k = R.randrange(ncat)
            pool = bycat.get(k, [])
            if len(pool) < 8:
                continue
            g = R.sample(pool, R.randint(3, 4))
            partners.append(g)
            for j in range(R.randint(4, 7)):
                res = float(np.exp(G.normal(11, 1)))
                b = [c for c in g if R.random() < 0.8]
                b += [c for c in R.sample(pool, R.randint(1, 3)) if c not in b]
                am = res * G.normal(0.92, 0.09, len(b))
                w = int(am.argmin())
                T.append((f"T{t}", f"B{R.randrange(max(5, n // 80))}", k, R.randrange(12), res))
                B += [(f"T{t}", c, round(float(x), 2), int(i == w)) for i, (c, x) in enumerate(zip(b, am))]
                t += 1
    for r, m, kind in rings:
        k = cat[R.choice(m)] if hard else R.randrange(ncat)
        for j in range(R.randint(2, 5) if hard else R.randint(5, 9)):
            res = float(np.exp(G.normal(11, 1)))
            w = j % len(m)
            low = res * G.normal(0.985, 0.01)
            b = [c for c in m if R.random() < (0.6 if hard else 0.8) or c == m[w]]
            out = R.sample(bycat[k], min(len(bycat[k]), R.randint(0, 2))) if k in bycat else []
            T.append((f"T{t}", f"B{R.randrange(max(5, n // 80))}", k, R.randrange(12), res))
            B += [
                (
                    f"T{t}",
                    c,
                    round(float(low if c == m[w] else low * (1.03 + 0.012 * R.random())), 2),
                    int(c == m[w]),
                )
                for c in b
            ]
            B += [
                (f"T{t}", c, round(float(low * (1.05 + 0.1 * R.random())), 2), 0) for c in out if c not in b
            ]
            t += 1
    df = pd.DataFrame
    return {
        "companies": df({"company": comp, "category": [cat[c] for c in comp]}),
        "people": df({"person": sorted(people)}),
        "attrs": df(A, columns=["entity", "kind", "value"]),
        "attrs_clean": df(clean, columns=["entity", "kind", "value"]),
        "ownership": df(own, columns=["owner", "owned", "pct"]),
        "tenders": df(T, columns=["tender", "buyer", "category", "period", "reserve"]),
        "bids": df(B, columns=["tender", "company", "amount", "won"]),
        "flags": df(sorted(flags), columns=["company", "flag"]),
        "groups": df([(c, g) for g, m in enumerate(groups) for c in m], columns=["company", "group"]),
        "partners": df([(c, k) for k, g in enumerate(partners) for c in g], columns=["company", "partners"]),
        "truth": df(
            [(c, *truth.get(c, (-1, "none", "none"))) for c in comp],
            columns=["company", "ring", "role", "kind"],
        ),
    }
