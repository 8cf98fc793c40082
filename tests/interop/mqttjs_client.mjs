// MQTT.js against the broker: mqttjs_client.mjs SETTINGS FEATURE...
// SETTINGS is JSON: where the packages lie, the transport, the ports, the certificates. One line of JSON comes out
// for each feature: {"feature": NAME, "ok": true} or with the error.

import assert from 'node:assert/strict';
import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const settings = JSON.parse(process.argv[2]);
const require = createRequire(settings.packages + '/');
const mqtt = require('mqtt');
const mqttPacket = require('mqtt-packet');

const PATIENCE = 20_000;
const QUIET = 300;
const AT_ONCE = 8;
const FOR_AN_HOUR = { clean: false, properties: { sessionExpiryInterval: 3600 } };

/** What comes in and is waited for. */
class Box {
  held = [];
  waiting = [];

  put(value) {
    const next = this.waiting.shift();
    if (next) next(value);
    else this.held.push(value);
  }

  take(what = 'a message', patience = PATIENCE) {
    if (this.held.length > 0) return Promise.resolve(this.held.shift());
    return new Promise((resolve, reject) => {
      const take = (value) => {
        clearTimeout(timer);
        resolve(value);
      };
      const timer = setTimeout(() => {
        this.waiting.splice(this.waiting.indexOf(take), 1);
        reject(new Error(`no ${what} within ${patience} ms`));
      }, patience);
      this.waiting.push(take);
    });
  }

  async nothing() {
    const came = await this.take('', QUIET).catch(() => undefined);
    assert.equal(came, undefined, `something came: ${JSON.stringify(came)}`);
  }
}

/** A connected client, whose answers can be waited for. */
class Client {
  messages = new Box();
  lost = new Box();
  told = new Box();
  pings = new Box();
  /** What came in as the network had it, before MQTT.js made something of it. */
  wire = [];
  sent = [];

  static async open(id, options = {}, url = plainUrl(), ...rest) {
    assert.equal(rest.length, 0);
    const made = new Client();
    const version = options.protocolVersion ?? 5;
    const client = mqtt.connect(url, { clientId: id, reconnectPeriod: 0, protocolVersion: version, ...options });
    made.client = client;
    if (options.onAuth) client.handleAuth = options.onAuth;
    const parser = mqttPacket.parser({ protocolVersion: version });
    parser.on('packet', (packet) => packet.cmd === 'publish' && made.wire.push(packet));
    client.stream.on('data', (bytes) => parser.parse(bytes));
    client.on('message', (topic, payload, packet) => made.messages.put({ ...packet, topic, payload }));
    client.on('close', () => made.lost.put(true));
    client.on('disconnect', (packet) => made.told.put(packet));
    client.on('packetreceive', (packet) => {
      if (packet.cmd === 'pingresp') made.pings.put(packet);
      if (packet.cmd === 'puback' || packet.cmd === 'pubrec') made.reason = packet.reasonCode ?? 0;
    });
    client.on('packetsend', (packet) => packet.cmd === 'publish' && made.sent.push({ ...packet }));
    made.connack = await new Promise((resolve, reject) => {
      client.once('connect', resolve);
      client.once('error', reject);
      setTimeout(() => reject(new Error('no CONNACK')), PATIENCE).unref();
    });
    // What goes wrong later is a close, and seen as one.
    client.on('error', () => {});
    return made;
  }

  /** Subscribes, which must be granted as asked. */
  async subscribe(filter, options = {}) {
    const asked = { qos: 1, ...options };
    const granted = await this.client.subscribeAsync(filter, asked);
    assert.deepEqual(granted.map((each) => each.qos), [asked.qos]);
  }

  /** Publishes and gives the answer. */
  publish(topic, payload, options = {}) {
    return new Promise((resolve, reject) => {
      this.client.publish(topic, payload, { qos: 1, ...options }, (error, packet) =>
        error ? reject(error) : resolve(packet));
    });
  }

  /** The next message, which must be this. */
  async expect(topic, payload, more = {}) {
    const message = await this.messages.take(`message to ${topic}`);
    assert.equal(message.topic, topic);
    assert.equal(message.payload.toString(), payload);
    for (const [name, value] of Object.entries(more)) assert.deepEqual(message[name], value, name);
    return message;
  }

  async leave(options = {}) {
    await this.client.endAsync(false, options);
  }

  /** Closes the socket without a word. */
  async vanish() {
    this.client.stream.destroy();
    await this.lost.take('the end of the connection');
  }
}

/** The client's side of SCRAM-SHA-256 (RFC 5802, RFC 7677). */
class Scram {
  nonce = randomBytes(18).toString('base64');
  done = new Box();

  constructor(user, password) {
    this.bare = `n=${user},r=${this.nonce}`;
    this.password = password;
  }

  properties(data) {
    return { authenticationMethod: 'SCRAM-SHA-256', authenticationData: Buffer.from(data) };
  }

  first() {
    return this.properties(`n,,${this.bare}`);
  }

  onAuth = (packet, answer) => {
    const said = packet.properties.authenticationData.toString();
    if (packet.reasonCode === 0) {
      this.done.put(said);
      return answer();
    }
    const [, nonce, salt, rounds] = /^r=([^,]*),s=([^,]*),i=(\d+)$/.exec(said);
    assert.ok(nonce.startsWith(this.nonce));
    const hmac = (key, text) => createHmac('sha256', key).update(text).digest();
    const salted = pbkdf2Sync(this.password, Buffer.from(salt, 'base64'), Number(rounds), 32, 'sha256');
    const key = hmac(salted, 'Client Key');
    const last = `c=biws,r=${nonce}`;
    const text = `${this.bare},${said},${last}`;
    const signature = hmac(createHash('sha256').update(key).digest(), text);
    const proof = Buffer.from(key.map((byte, n) => byte ^ signature[n]));
    this.expected = `v=${hmac(hmac(salted, 'Server Key'), text).toString('base64')}`;
    const properties = this.properties(`${last},p=${proof.toString('base64')}`);
    return answer(null, { cmd: 'auth', reasonCode: 0x18, properties });
  };
}

function plainUrl() {
  return settings.transport === 'tcp'
    ? `mqtt://127.0.0.1:${settings.ports.mqtt}`
    : `ws://127.0.0.1:${settings.ports.ws}/mqtt`;
}

async function leave(...clients) {
  await Promise.all(clients.map((client) => client.leave()));
}

/** A client talks to itself with every quality of service. */
async function toItself(client, topic) {
  await client.subscribe(topic, { qos: 2 });
  for (const qos of [0, 1, 2]) {
    await client.publish(topic, `qos ${qos}`, { qos });
    await client.expect(topic, `qos ${qos}`, { qos, retain: false, dup: false });
  }
  await client.leave();
}

const version = (protocolVersion, protocolId = 'MQTT') => async (name) => {
  const client = await Client.open(name, { protocolVersion, protocolId });
  assert.equal(client.connack.sessionPresent, false);
  await toItself(client, `${name}/x`);
};

const qos = (granted) => async (name) => {
  const [reader, writer] = [await Client.open(`${name}-r`), await Client.open(`${name}-w`)];
  await reader.subscribe(`${name}/+`, { qos: granted });
  for (let n = 0; n < 50; n += 1) {
    for (const sent of [0, 1, 2]) writer.publish(`${name}/${sent}`, `${n}`, { qos: sent });
  }
  const seen = [0, 0, 0];
  for (let n = 0; n < 150; n += 1) {
    const message = await reader.messages.take();
    const sent = Number(message.topic.split('/')[1]);
    assert.equal(message.payload.toString(), `${seen[sent]}`, 'in order');
    assert.equal(message.qos, Math.min(sent, granted));
    seen[sent] += 1;
  }
  await reader.messages.nothing();
  await leave(reader, writer);
};

/** Reads with one set of properties and asserts that they come through. */
const properties = (sent) => async (name) => {
  const client = await Client.open(name);
  await client.subscribe(name);
  await client.publish(name, 'text', { properties: sent });
  const message = await client.expect(name, 'text');
  for (const [key, value] of Object.entries(sent)) {
    const came = message.properties[key];
    assert.equal(JSON.stringify(came), JSON.stringify(value), key);
  }
  await client.publish(name, 'bare');
  const bare = await client.expect(name, 'bare');
  for (const key of Object.keys(sent)) assert.equal(bare.properties?.[key], undefined, key);
  await client.leave();
};

const overTls = (url, certificate = {}) => async (name) => {
  const ca = readFileSync(settings.ca);
  const client = await Client.open(name, { ca, ...certificate }, url());
  await toItself(client, name);
  // Who does not know the authority does not talk to the broker.
  await assert.rejects(Client.open(`${name}-stranger`, { ...certificate }, url()));
};

const large = (size) => async (name) => {
  const [reader, writer] = [await Client.open(`${name}-r`), await Client.open(`${name}-w`)];
  const body = Buffer.alloc(size, Buffer.from(Array.from({ length: 251 }, (_, n) => n)));
  await reader.subscribe(name);
  await writer.publish(name, body);
  const message = await reader.messages.take();
  assert.ok(message.payload.equals(body), 'it came back changed');
  await leave(reader, writer);
};

const features = {
  version_3_1: version(3, 'MQIsdp'),
  version_3_1_1: version(4),
  version_5: version(5),
  qos_0: qos(0),
  qos_1: qos(1),
  qos_2: qos(2),

  async retained(name) {
    const writer = await Client.open(`${name}-w`);
    await writer.publish(`${name}/a`, 'old', { retain: true });
    await writer.publish(`${name}/a`, 'new', { retain: true });
    await writer.publish(`${name}/b`, 'cleared', { retain: true });
    await writer.publish(`${name}/b`, '', { retain: true });
    const reader = await Client.open(`${name}-r`);
    await reader.subscribe(`${name}/#`);
    await reader.expect(`${name}/a`, 'new', { retain: true, qos: 1 });
    await writer.publish(`${name}/b`, 'live', { retain: true });
    await reader.expect(`${name}/b`, 'live', { retain: false });
    await reader.messages.nothing();
    await leave(reader, writer);
  },

  async retain_handling(name) {
    const writer = await Client.open(`${name}-w`);
    await writer.publish(name, 'kept', { retain: true });
    const reader = await Client.open(`${name}-r`);
    await reader.subscribe(name, { rh: 2 });
    await reader.messages.nothing();
    await reader.subscribe(name, { rh: 1 });
    await reader.messages.nothing();
    await reader.subscribe(name, { rh: 0 });
    await reader.expect(name, 'kept', { retain: true });
    const other = await Client.open(`${name}-o`);
    await other.subscribe(name, { rh: 1 });
    await other.expect(name, 'kept', { retain: true });
    await leave(reader, writer, other);
  },

  async retain_as_published(name) {
    const [plain, kept] = [await Client.open(`${name}-p`), await Client.open(`${name}-k`)];
    await plain.subscribe(name);
    await kept.subscribe(name, { rap: true });
    await plain.publish(name, 'x', { retain: true });
    await plain.expect(name, 'x', { retain: false });
    await kept.expect(name, 'x', { retain: true });
    await leave(plain, kept);
  },

  async wildcards(name) {
    const [plus, hash] = [await Client.open(`${name}-p`), await Client.open(`${name}-h`)];
    await plus.subscribe(`${name}/+/temp`);
    await hash.subscribe(`${name}/#`);
    const topics = [name, `${name}/1/temp`, `${name}/1/temp/max`, `${name}//temp`];
    for (const topic of topics) await plus.publish(topic, topic);
    for (const topic of [topics[1], topics[3]]) await plus.expect(topic, topic);
    for (const topic of topics) await hash.expect(topic, topic);
    await plus.messages.nothing();
    await leave(plus, hash);
  },

  async unsubscribe(name) {
    const client = await Client.open(name);
    await client.subscribe(name);
    await client.client.unsubscribeAsync(name);
    await client.publish(name, 'x');
    await client.messages.nothing();
    await client.leave();
  },

  async will(name) {
    const witness = await Client.open(`${name}-w`);
    await witness.subscribe(`${name}/#`);
    const properties = { contentType: 'text/plain', userProperties: { why: 'lost' } };
    const will = { topic: `${name}/5`, payload: Buffer.from('gone'), qos: 1, retain: true, properties };
    await (await Client.open(`${name}-d`, { will })).vanish();
    const message = await witness.expect(`${name}/5`, 'gone', { qos: 1, retain: false });
    assert.equal(message.properties.contentType, 'text/plain');
    assert.equal(message.properties.userProperties.why, 'lost');
    await witness.subscribe(`${name}/5`);
    await witness.expect(`${name}/5`, 'gone', { retain: true });
    const older = { topic: `${name}/4`, payload: Buffer.from('gone too'), qos: 0, retain: false };
    await (await Client.open(`${name}-d`, { will: older, protocolVersion: 4 })).vanish();
    await witness.expect(`${name}/4`, 'gone too', { qos: 0 });
    await witness.leave();
  },

  async will_with_delay(name) {
    const witness = await Client.open(`${name}-w`);
    await witness.subscribe(`${name}/#`);
    const will = (topic, willDelayInterval) =>
      ({ topic, payload: Buffer.from('gone'), qos: 1, properties: { willDelayInterval } });
    const begun = Date.now();
    await (await Client.open(`${name}-a`, { ...FOR_AN_HOUR, will: will(`${name}/late`, 1) })).vanish();
    await witness.expect(`${name}/late`, 'gone');
    assert.ok(Date.now() - begun >= 1000, 'too early');
    // Who comes back in time takes it back.
    const back = { ...FOR_AN_HOUR, will: will(`${name}/never`, 2) };
    await (await Client.open(`${name}-b`, back)).vanish();
    const returned = await Client.open(`${name}-b`, FOR_AN_HOUR);
    assert.equal(returned.connack.sessionPresent, true);
    await (await Client.open(`${name}-c`, { ...FOR_AN_HOUR, will: will(`${name}/last`, 2) })).vanish();
    await witness.expect(`${name}/last`, 'gone');
    await leave(witness, returned);
  },

  async disconnect(name) {
    const witness = await Client.open(`${name}-w`);
    await witness.subscribe(name);
    const will = { topic: name, payload: Buffer.from('asked for'), qos: 1 };
    await (await Client.open(`${name}-d`, { will })).leave();
    await witness.messages.nothing();
    await (await Client.open(`${name}-d`, { will })).leave({ reasonCode: 0x04 });
    await witness.expect(name, 'asked for');
    await (await Client.open(`${name}-d`, { will })).vanish();
    await witness.expect(name, 'asked for');
    await witness.leave();
  },

  async persistent_session(name) {
    const writer = await Client.open(`${name}-w`);
    for (const options of [FOR_AN_HOUR, { clean: false, protocolVersion: 4 }]) {
      const id = `${name}-${options.protocolVersion ?? 5}`;
      const first = await Client.open(id, options);
      assert.equal(first.connack.sessionPresent, false);
      await first.subscribe(`${name}/#`, { qos: 2 });
      await first.leave();
      for (const sent of [0, 1, 2, 1, 2]) await writer.publish(`${name}/${sent}`, `${sent}`, { qos: sent });
      const second = await Client.open(id, options);
      assert.equal(second.connack.sessionPresent, true);
      // MQTT.js hands out QoS 2 when it is released: in order are those of one quality.
      const came = [];
      for (let n = 0; n < 4; n += 1) came.push(await second.messages.take());
      const seen = came.map(({ topic, payload, qos: granted }) => `${topic} ${payload} ${granted}`).sort();
      assert.deepEqual(seen, [1, 1, 2, 2].map((sent) => `${name}/${sent} ${sent} ${sent}`));
      await second.messages.nothing();
      await second.leave();
      const third = await Client.open(id, { ...options, clean: true, properties: undefined });
      assert.equal(third.connack.sessionPresent, false);
      await third.leave();
    }
    await writer.leave();
  },

  async session_expiry(name) {
    const witness = await Client.open(`${name}-w`);
    await witness.subscribe(`${name}/over`);
    // A will that waits longer than the session lives comes when the session ends.
    const will = { topic: `${name}/over`, payload: Buffer.from('over'), qos: 1, properties: { willDelayInterval: 600 } };
    const begun = Date.now();
    const short = { clean: false, will, properties: { sessionExpiryInterval: 1 } };
    await (await Client.open(`${name}-s`, short)).vanish();
    const long = await Client.open(`${name}-l`, { clean: false, properties: { sessionExpiryInterval: 600 } });
    await long.leave();
    await witness.expect(`${name}/over`, 'over');
    assert.ok(Date.now() - begun >= 1000, 'too early');
    for (const [id, present] of [[`${name}-s`, false], [`${name}-l`, true]]) {
      const client = await Client.open(id, { clean: false });
      assert.equal(client.connack.sessionPresent, present, id);
      await client.leave();
    }
    await witness.leave();
  },

  async shared_subscription(name) {
    const members = [await Client.open(`${name}-0`), await Client.open(`${name}-1`)];
    const all = await Client.open(`${name}-all`);
    for (const member of members) await member.subscribe(`$share/group/${name}/+`);
    await all.subscribe(`${name}/+`);
    for (let n = 0; n < 20; n += 1) await all.publish(`${name}/${n}`, `${n}`);
    for (let n = 0; n < 20; n += 1) await all.expect(`${name}/${n}`, `${n}`);
    const got = [];
    for (const member of members) {
      for (let n = 0; n < 10; n += 1) got.push(Number((await member.messages.take()).payload));
      await member.messages.nothing();
    }
    assert.deepEqual(got.sort((a, b) => a - b), Array.from({ length: 20 }, (_, n) => n));
    await leave(...members, all);
  },

  async request_and_response(name) {
    const [asker, worker] = [await Client.open(`${name}-a`), await Client.open(`${name}-w`)];
    await worker.subscribe(`${name}/questions`);
    await asker.subscribe(`${name}/answers`);
    const correlationData = Buffer.from([0, 255, 55]);
    await asker.publish(`${name}/questions`, 'why?', { properties: { responseTopic: `${name}/answers`, correlationData } });
    const question = await worker.expect(`${name}/questions`, 'why?');
    assert.equal(question.properties.responseTopic, `${name}/answers`);
    const answer = { correlationData: question.properties.correlationData };
    await worker.publish(question.properties.responseTopic, 'because', { properties: answer });
    const answered = await asker.expect(`${name}/answers`, 'because');
    assert.ok(answered.properties.correlationData.equals(correlationData));
    await leave(asker, worker);
  },

  user_properties: properties({ userProperties: { colour: ['red', 'blue'], empty: '', 'ä': 'ö:\n' } }),
  content_type: properties({ contentType: 'application/json' }),
  payload_format: properties({ payloadFormatIndicator: true }),

  async message_expiry(name) {
    const session = `${name}-s`;
    await (async () => {
      const client = await Client.open(session, FOR_AN_HOUR);
      await client.subscribe(`${name}/#`);
      await client.leave();
    })();
    const writer = await Client.open(`${name}-w`);
    await writer.subscribe(`${name}-clock`);
    await writer.publish(`${name}/short`, 'short', { properties: { messageExpiryInterval: 1 } });
    await writer.publish(`${name}/long`, 'long', { properties: { messageExpiryInterval: 600 } });
    // Two seconds of the broker's clock.
    const properties = { willDelayInterval: 2 };
    const will = { topic: `${name}-clock`, payload: Buffer.from('later'), qos: 1, properties };
    await (await Client.open(`${name}-c`, { ...FOR_AN_HOUR, will })).vanish();
    await writer.expect(`${name}-clock`, 'later');
    const reader = await Client.open(session, FOR_AN_HOUR);
    const message = await reader.expect(`${name}/long`, 'long');
    const left = message.properties.messageExpiryInterval;
    assert.ok(left >= 560 && left <= 598, `${left}`);
    await reader.messages.nothing();
    await leave(reader, writer);
  },

  async subscription_identifiers(name) {
    const client = await Client.open(name);
    const identified = (subscriptionIdentifier) => ({ properties: { subscriptionIdentifier } });
    await client.subscribe(`${name}/a/#`, identified(7));
    await client.subscribe(`${name}/a/b`, identified(268435455));
    await client.subscribe(`${name}/+`);
    await client.publish(`${name}/a/x`, 'one');
    assert.deepEqual([(await client.expect(`${name}/a/x`, 'one')).properties.subscriptionIdentifier].flat(), [7]);
    await client.publish(`${name}/a/b`, 'both');
    const got = [];
    while (got.length < 2) {
      got.push(...[(await client.expect(`${name}/a/b`, 'both')).properties.subscriptionIdentifier].flat());
    }
    assert.deepEqual(got.sort((a, b) => a - b), [7, 268435455]);
    await client.publish(`${name}/none`, 'none');
    assert.equal((await client.expect(`${name}/none`, 'none')).properties?.subscriptionIdentifier, undefined);
    await client.leave();
  },

  async no_local(name) {
    const [self, other] = [await Client.open(`${name}-s`), await Client.open(`${name}-o`)];
    await self.subscribe(name, { nl: true });
    await self.publish(name, 'mine');
    await other.publish(name, 'theirs');
    await self.expect(name, 'theirs');
    await self.messages.nothing();
    await leave(self, other);
  },

  async topic_alias_to_broker(name) {
    const writer = await Client.open(`${name}-w`, { autoAssignTopicAlias: true });
    const reader = await Client.open(`${name}-r`);
    await reader.subscribe(`${name}/#`);
    for (const n of [0, 1, 0, 1, 0]) await writer.publish(`${name}/${n}`, `${n}`);
    for (const n of [0, 1, 0, 1, 0]) await reader.expect(`${name}/${n}`, `${n}`);
    assert.deepEqual(writer.sent.map((packet) => packet.topic), [`${name}/0`, `${name}/1`, '', '', '']);
    await leave(reader, writer);
  },

  async topic_alias_to_client(name) {
    const reader = await Client.open(`${name}-r`, { properties: { topicAliasMaximum: 2 } });
    const writer = await Client.open(`${name}-w`);
    await reader.subscribe(`${name}/#`);
    for (let n = 0; n < 12; n += 1) await writer.publish(`${name}/${n % 3}`, `${n}`);
    for (let n = 0; n < 12; n += 1) await reader.expect(`${name}/${n % 3}`, `${n}`);
    const aliases = reader.wire.map((packet) => packet.properties?.topicAlias).filter((alias) => alias !== undefined);
    assert.ok(aliases.every((alias) => alias === 1 || alias === 2), `${aliases}`);
    assert.ok(reader.wire.some((packet) => packet.topic === ''), 'no alias stood for a topic');
    await leave(reader, writer);
  },

  async receive_maximum(name) {
    const held = new Box();
    const reader = await Client.open(`${name}-r`, {
      properties: { receiveMaximum: 1 },
      customHandleAcks: (topic, payload, packet, done) => held.put(() => done(0)),
    });
    const writer = await Client.open(`${name}-w`);
    await reader.subscribe(name);
    for (let n = 0; n < 5; n += 1) await writer.publish(name, `${n}`);
    for (let n = 1; n <= 5; n += 1) {
      const acknowledge = await held.take('a message to acknowledge');
      await held.nothing();
      assert.equal(reader.wire.length, n, 'more than one is under way');
      acknowledge();
    }
    for (let n = 0; n < 5; n += 1) await reader.expect(name, `${n}`);
    await leave(reader, writer);
  },

  async maximum_packet_size(name) {
    const small = await Client.open(`${name}-s`, { properties: { maximumPacketSize: 200 } });
    const writer = await Client.open(`${name}-w`);
    await small.subscribe(name);
    await writer.publish(name, 'x'.repeat(1000));
    await writer.publish(name, 'fits');
    await small.expect(name, 'fits');
    await leave(small, writer);
  },

  megabyte: large(1 << 20),
  ten_megabytes: large(10 << 20),

  async empty_payload(name) {
    const client = await Client.open(name);
    await client.subscribe(name, { qos: 2 });
    for (const sent of [0, 1, 2]) {
      await client.publish(name, '', { qos: sent });
      await client.expect(name, '', { qos: sent });
    }
    await client.leave();
  },

  async utf8_topics(name) {
    const client = await Client.open(`${name}-🦀`);
    await client.subscribe(`${name}/🚢/+/grüße`);
    await client.publish(`${name}/🚢/港/grüße`, 'здравствуйте 🌍', { retain: true });
    await client.expect(`${name}/🚢/港/grüße`, 'здравствуйте 🌍');
    await client.leave();
  },

  tls: overTls(() => `mqtts://localhost:${settings.ports.mqtts}`),

  async tls_client_certificate(name) {
    const url = () => `mqtts://localhost:${settings.ports.strict}`;
    const certificate = { cert: readFileSync(settings.cert), key: readFileSync(settings.key) };
    await overTls(url, certificate)(name);
    await assert.rejects(Client.open(`${name}-nobody`, { ca: readFileSync(settings.ca) }, url()));
  },

  async websocket(name) {
    await toItself(await Client.open(name, {}, `ws://127.0.0.1:${settings.ports.ws}/mqtt`), name);
  },

  websocket_tls: overTls(() => `wss://localhost:${settings.ports.wss}/mqtt`),

  async refused_subscription(name) {
    const client = await Client.open(name);
    const refused = (code) => (error) => error.packet.granted[0] === code;
    // More levels than any filter may have, and the answers of somebody else.
    const deep = `${name}${'/x'.repeat(128)}`;
    await assert.rejects(client.client.subscribeAsync(deep, { qos: 1 }), refused(0x8f));
    await assert.rejects(client.client.subscribeAsync('$temp/others', { qos: 1 }), refused(0x87));
    await toItself(client, name);
  },

  async no_subscribers(name) {
    const client = await Client.open(name);
    for (const [subscribed, reason] of [[false, 0x10], [true, 0x00]]) {
      if (subscribed) await client.subscribe(name);
      for (const sent of [1, 2]) {
        client.reason = undefined;
        await client.publish(name, 'x', { qos: sent });
        assert.equal(client.reason, reason, `QoS ${sent}`);
      }
    }
    await client.leave();
  },

  async queue(name) {
    const where = `$queue/${name}`;
    const [writer, first, second] = [await Client.open(`${name}-w`), await Client.open(`${name}-1`), await Client.open(`${name}-2`)];
    for (let n = 0; n < 10; n += 1) await writer.publish(where, `${n}`);
    // What waits comes to whoever is there, and each message to one.
    await first.subscribe(where);
    for (let n = 0; n < 10; n += 1) await first.expect(where, `${n}`, { qos: 1 });
    await second.subscribe(where);
    for (let n = 0; n < 10; n += 1) await writer.publish(where, `${n}`);
    const got = [];
    for (const reader of [first, second]) {
      for (let n = 0; n < 5; n += 1) got.push(Number((await reader.messages.take()).payload));
      await reader.messages.nothing();
    }
    assert.deepEqual(got.sort((a, b) => a - b), Array.from({ length: 10 }, (_, n) => n));
    await leave(writer, first, second);
  },

  async password(name) {
    const { user: username, password } = settings;
    for (const [protocolVersion, code] of [[4, 4], [5, 0x86]]) {
      const id = `${name}-${protocolVersion}`;
      await toItself(await Client.open(id, { protocolVersion, username, password }), id);
      const wrong = Client.open(id, { protocolVersion, username, password: 'wrong' });
      await assert.rejects(wrong, (error) => error.code === code);
    }
  },

  async scram(name) {
    const open = (scram) => Client.open(name, { onAuth: scram.onAuth, properties: scram.first() });
    const scram = new Scram(settings.user, settings.password);
    const client = await open(scram);
    assert.equal(client.connack.properties.authenticationData.toString(), scram.expected, 'the proof of the broker');
    // Once more while connected.
    const again = new Scram(settings.user, settings.password);
    client.client.handleAuth = again.onAuth;
    client.client._sendPacket({ cmd: 'auth', reasonCode: 0x19, properties: again.first() });
    assert.equal(await again.done.take('the end of the re-authentication'), again.expected);
    await toItself(client, name);
    await assert.rejects(open(new Scram(settings.user, 'wrong')), (error) => error.code === 0x87);
  },

  async keep_alive(name) {
    const client = await Client.open(name, { keepalive: 1, reschedulePings: false });
    const begun = Date.now();
    while (Date.now() - begun < 2000) await client.pings.take('PINGRESP');
    assert.ok(client.client.connected);
    await toItself(client, name);
  },

  async take_over(name) {
    const first = await Client.open(name, FOR_AN_HOUR);
    await first.subscribe(name);
    const second = await Client.open(name, FOR_AN_HOUR);
    assert.equal((await first.told.take('DISCONNECT')).reasonCode, 0x8e);
    await first.lost.take('the end of the connection');
    assert.equal(second.connack.sessionPresent, true);
    await second.publish(name, 'x');
    await second.expect(name, 'x');
    await second.leave();
  },

  async assigned_client_id() {
    const clients = [await Client.open(''), await Client.open('')];
    const names = clients.map((client) => client.connack.properties.assignedClientIdentifier);
    assert.ok(names[0] && names[1] && names[0] !== names[1], `${names}`);
    await leave(...clients);
  },
};

async function run(feature) {
  let result = { feature, ok: true };
  try {
    await features[feature](feature);
  } catch (error) {
    result = { feature, ok: false, error: `${error?.stack ?? error}` };
  }
  process.stdout.write(`${JSON.stringify(result)}\n`);
  return result.ok;
}

/** Several at once: most of them wait most of the time. */
async function main(names) {
  const left = [...names];
  let good = true;
  const worker = async () => {
    for (let name = left.shift(); name !== undefined; name = left.shift()) good = (await run(name)) && good;
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  process.exit(good ? 0 : 1);
}

await main(process.argv.slice(3));
