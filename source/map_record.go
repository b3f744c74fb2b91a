package source

import (
	"fmt"
	"maps"

	"worqcron/expression"
)

// mapped is the form in which an object goes out, valid until the next call; nil
// if where leaves it out. record is the same in the file's own bytes.
func (p *mapParser) mapped(object, record []byte) ([]byte, *mapFlaw) {
	p.arena = p.arena[:0]
	var wrong *mapFlaw
	if p.plan.csv {
		wrong = p.readCSV(object, record)
	} else {
		wrong = p.readObject(object)
	}
	if wrong != nil {
		return nil, wrong
	}
	if len(p.plan.used) > 0 || p.plan.usesAll {
		if wrong := p.fillEnv(); wrong != nil {
			return nil, wrong
		}
	}
	if p.plan.where != nil {
		pass, wrong := p.passes()
		if wrong != nil || !pass {
			return nil, wrong
		}
	}
	if p.plan.same {
		return object, nil
	}
	if wrong := p.assign(); wrong != nil {
		return nil, wrong
	}
	p.write()
	if len(p.out) > maxMaxRecordBytes {
		return nil, &mapFlaw{reason: ReasonTooLarge, detail: fmt.Sprintf("the record would take %d bytes as JSON", len(p.out))}
	}
	return p.out, nil
}

// readCSV fills the slots from an object that the CSV parser wrote: its members
// are the columns, its values are strings.
func (p *mapParser) readCSV(object, record []byte) *mapFlaw {
	fields := csvFields{}
	if len(p.plan.nulls) > 0 {
		fields = p.file.fields(record)
	}
	at := 0 // behind the value before
	for i := range p.plan.columns[:p.plan.read] {
		c := &p.plan.columns[i]
		start := at + c.keyLen
		at = quotedEnd(object, start)
		value := object[start:at]
		switch {
		case len(p.plan.nulls) > 0 && p.isNull(&fields):
			value = null
		case c.kind != kindText:
			var why string
			if value, why = c.kind.convert(&p.arena, value); why != "" {
				return c.wrong(i, why)
			}
		}
		if c.member >= 0 {
			s := &p.slots[c.member]
			s.value, s.kind = value, c.kind
		}
	}
	return nil
}

var null = []byte("null")

// isNull reports whether the next field is one of the texts for null.
func (p *mapParser) isNull(fields *csvFields) bool {
	from, to := fields.next()
	return to-from <= p.plan.longest && p.plan.nulls[string(fields.raw[from:to])]
}

func (c *mapColumn) wrong(field int, why string) *mapFlaw {
	return &mapFlaw{reason: ReasonWrongType, detail: fmt.Sprintf("column %q: %s", c.name, why), column: c.name, field: field}
}

// readObject fills the slots from an object with any members.
func (p *mapParser) readObject(object []byte) *mapFlaw {
	if p.plan.fixed {
		for i := range p.slots {
			p.slots[i].value = nil
		}
	} else {
		p.slots = p.slots[:0]
		clear(p.at)
	}
	for i := 1; ; {
		m, next, ok := nextMember(object, i)
		if !ok {
			return nil
		}
		name := object[m.nameStart:m.nameEnd]
		if wrong := p.readMember(name, object[m.start:m.end]); wrong != nil {
			return wrong
		}
		i = next
	}
}

func (p *mapParser) readMember(name, value []byte) *mapFlaw {
	c := p.plan.byName[string(plainText(&p.arena, name))]
	if c == nil {
		if !p.plan.fixed {
			p.slots = append(p.slots, mapSlot{key: name, value: value, member: -1})
		}
		return nil
	}
	value, why := c.kind.convert(&p.arena, value)
	if why != "" {
		return c.wrong(0, why)
	}
	if c.member < 0 {
		return nil
	}
	if s := p.slot(c.member); s != nil && s.value != nil {
		return &mapFlaw{
			reason: ReasonDuplicateKey, detail: fmt.Sprintf("rename gives two members the name %q", p.plan.members[c.member].name),
			column: c.name, atName: true,
		}
	}
	p.put(c.member, value, c.kind)
	return nil
}

// slot is where a member is, nil if it is nowhere yet.
func (p *mapParser) slot(member int) *mapSlot {
	if p.plan.fixed {
		return &p.slots[member]
	}
	if i := p.at[member]; i > 0 {
		return &p.slots[i-1]
	}
	return nil
}

// put gives a member a value, at the end if it is nowhere yet.
func (p *mapParser) put(member int, value []byte, kind valueKind) {
	if s := p.slot(member); s != nil {
		s.value, s.kind = value, kind
		return
	}
	p.slots = append(p.slots, mapSlot{key: p.plan.members[member].key, value: value, kind: kind, member: member})
	p.at[member] = len(p.slots)
}

// fillEnv gives expressions what they read of the record.
func (p *mapParser) fillEnv() *mapFlaw {
	if p.plan.usesAll {
		return p.fillAll()
	}
	for _, u := range p.plan.used {
		var s *mapSlot
		if u.member >= 0 {
			s = p.slot(u.member)
		}
		if s == nil || s.value == nil {
			p.env[u.name] = u.moment
			continue
		}
		if wrong := p.fillName(u.name, s); wrong != nil {
			return wrong
		}
	}
	return nil
}

// fillAll is fillEnv where an expression reads $env as a whole.
func (p *mapParser) fillAll() *mapFlaw {
	clear(p.env)
	maps.Copy(p.env, p.plan.moment)
	slots := p.slots
	if p.plan.fixed {
		slots = slots[:p.plan.own] // set makes the others
	}
	for i := range slots {
		if wrong := p.fillName(goString(slots[i].key), &slots[i]); wrong != nil {
			return wrong
		}
	}
	return nil
}

func (p *mapParser) fillName(name string, s *mapSlot) *mapFlaw {
	if s.value == nil {
		p.env[name] = nil
		return nil
	}
	v, err := goValue(s.value, s.kind)
	if err != nil {
		return &mapFlaw{reason: ReasonExpression, detail: fmt.Sprintf("column %q: %v", name, err)}
	}
	p.env[name] = v
	return nil
}

// passes says what where says.
func (p *mapParser) passes() (bool, *mapFlaw) {
	value, err := p.machine.Run(p.plan.where, p.env)
	if err != nil {
		return false, failed(err, "where")
	}
	pass, ok := value.(bool)
	if !ok {
		return false, failed(fmt.Errorf("gives %s, not true or false", kindOfValue(value)), "where")
	}
	return pass, nil
}

// assign evaluates set. The expressions see the record as it was before.
func (p *mapParser) assign() *mapFlaw {
	for i := range p.plan.sets {
		s := &p.plan.sets[i]
		value, err := p.machine.Run(s.program, p.env)
		if err != nil {
			return failed(err, "set", s.Name)
		}
		from := len(p.arena)
		if p.arena, err = appendGo(p.arena, value, maxDepth-1); err != nil {
			return failed(fmt.Errorf("the value is %w", err), "set", s.Name)
		}
		p.put(s.member, p.arena[from:], kindAny)
	}
	return nil
}

func failed(err error, steps ...any) *mapFlaw {
	where := expression.Path("", steps)[1:]
	return &mapFlaw{reason: ReasonExpression, detail: where + ": " + err.Error()}
}

// write puts the slots together.
func (p *mapParser) write() {
	open, end := byte('{'), byte('}')
	if p.plan.array {
		open, end = '[', ']'
	}
	out := p.out[:0]
	out = append(out, open)
	for i := range p.slots {
		s := &p.slots[i]
		switch {
		case p.plan.array && s.value == nil:
			s.value = null
		case s.value == nil:
			continue
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		if !p.plan.array {
			out = append(append(out, s.key...), ':')
		}
		out = append(out, s.value...)
	}
	out = append(out, end)
	p.out = out
}
